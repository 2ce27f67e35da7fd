import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { renderKubeconfig } from './kubeconfig.ts';

test('a kubeconfig holds everything a client needs, without another file', () => {
  const client = { certificatePem: 'CERTIFICATE', keyPem: 'KEY' };
  const text = renderKubeconfig({ name: 'dev', server: 'https://127.0.0.1:1', caPem: 'CA', user: 'jo', client });
  const config = parse(text);
  expect(config['current-context']).toBe('dev');
  expect(config.contexts).toEqual([{ name: 'dev', context: { cluster: 'dev', user: 'jo' } }]);
  expect(config.clusters[0].cluster.server).toBe('https://127.0.0.1:1');
  const decoded = [
    config.clusters[0].cluster['certificate-authority-data'],
    config.users[0].user['client-certificate-data'],
    config.users[0].user['client-key-data'],
  ].map((each: string) => Buffer.from(each, 'base64').toString());
  expect(decoded).toEqual(['CA', 'CERTIFICATE', 'KEY']);
});
