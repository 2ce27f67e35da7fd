import { stringify } from 'yaml';
import type { Certificate } from './certificate-authority.ts';

export interface KubeconfigContent {
  /** Of the context and the cluster. */
  readonly name: string;
  readonly server: string;
  readonly caPem: string;
  readonly user: string;
  readonly client: Certificate;
}

/** A kubeconfig that needs no other file. */
export function renderKubeconfig({ name, server, caPem, user, client }: KubeconfigContent): string {
  const base64 = (pem: string) => Buffer.from(pem).toString('base64');
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    contexts: [{ name, context: { cluster: name, user } }],
    clusters: [{ name, cluster: { server, 'certificate-authority-data': base64(caPem) } }],
    users: [
      {
        name: user,
        user: {
          'client-certificate-data': base64(client.certificatePem),
          'client-key-data': base64(client.keyPem),
        },
      },
    ],
  });
}
