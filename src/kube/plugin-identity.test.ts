import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../testing/manual-clock.ts';
import { PluginIdentity } from './plugin-identity.ts';
import { type CredentialPlugin, runPlugin } from './run-plugin.ts';

const plugin: CredentialPlugin = { apiVersion: 'client.authentication.k8s.io/v1', command: 'login', args: [], env: {} };
const answer = (status: object, apiVersion = plugin.apiVersion) =>
  JSON.stringify({ apiVersion, kind: 'ExecCredential', status });

function open(outputs: string[]) {
  const clock = new ManualClock();
  let runs = 0;
  const run = async () => {
    runs += 1;
    return outputs.shift() ?? '';
  };
  return { clock, identity: new PluginIdentity(plugin, { run, clock }), runs: () => runs };
}

describe('PluginIdentity', () => {
  test('runs the program once for all who ask, and again when what it gave is about to end', async () => {
    const clock = new ManualClock();
    const end = (ms: number) => new Date(clock.now() + ms).toISOString();
    const {
      identity,
      runs,
      clock: own,
    } = open([answer({ token: 'a', expirationTimestamp: end(60_000) }), answer({ token: 'b' })]);
    const both = await Promise.all([identity.current(), identity.current()]);
    expect(both.map(({ headers }) => headers.authorization)).toEqual(['Bearer a', 'Bearer a']);
    await own.advance(49_000);
    await identity.current();
    expect(runs()).toBe(1);
    await own.advance(1_000);
    expect((await identity.current()).headers.authorization).toBe('Bearer b');
    await own.advance(1_000_000);
    await identity.current();
    expect(runs()).toBe(2);
  });

  test('runs it again after what it gave was refused', async () => {
    const { identity } = open([answer({ token: 'a' }), answer({ token: 'b' })]);
    await identity.current();
    expect(identity.refuse()).toBe(true);
    expect((await identity.current()).headers.authorization).toBe('Bearer b');
  });

  test('takes a certificate with its key', async () => {
    const { identity } = open([answer({ clientCertificateData: 'cert', clientKeyData: 'key' })]);
    expect(await identity.current()).toEqual({ headers: {}, certificate: { certificatePem: 'cert', keyPem: 'key' } });
  });

  test.each([
    ['no JSON', 'hunter2', 'does not print an ExecCredential'],
    ['something else', '{"kind":"Secret","token":"hunter2"}', 'does not print an ExecCredential'],
    ['another version', answer({ token: 'hunter2' }, 'client.authentication.k8s.io/v1beta1'), 'v1beta1'],
    ['no credentials', answer({}), 'neither'],
    ['a certificate alone', answer({ clientCertificateData: 'hunter2' }), 'neither'],
  ])('%s is told without what it printed', async (_what, output, words) => {
    const error = await open([output])
      .identity.current()
      .catch((each) => each);
    expect(error).toMatchObject({ code: 'KubeCredentialsFailed', message: expect.stringContaining(words) });
    expect(`${error.message} ${error.cause}`).not.toContain('hunter2');
  });

  test('a run that failed is not remembered', async () => {
    const { identity } = open(['oops', answer({ token: 'a' })]);
    await expect(identity.current()).rejects.toMatchObject({ code: 'KubeCredentialsFailed' });
    expect((await identity.current()).headers.authorization).toBe('Bearer a');
  });
});

describe('runPlugin', () => {
  const withScript = async (script: string, act: (command: string) => Promise<void>) => {
    const folder = await mkdtemp(join(tmpdir(), 'airlift-plugin-'));
    try {
      const command = join(folder, 'login');
      await writeFile(command, `#!/bin/sh\n${script}\n`);
      await chmod(command, 0o700);
      await act(command);
    } finally {
      await rm(folder, { recursive: true });
    }
  };

  test('gives the program its arguments, its environment and what it may know of the cluster', async () => {
    await withScript('echo "$1 $COLOUR $KUBERNETES_EXEC_INFO"', async (command) => {
      const output = await runPlugin({
        ...plugin,
        command,
        args: ['get-token'],
        env: { COLOUR: 'red' },
        cluster: { server: 'https://x' },
      });
      const info = {
        apiVersion: plugin.apiVersion,
        kind: 'ExecCredential',
        spec: { interactive: false, cluster: { server: 'https://x' } },
      };
      expect(output).toBe(`get-token red ${JSON.stringify(info)}\n`);
    });
  });

  test('tells how it ended and its last words', async () => {
    await withScript('echo first >&2; echo "no login" >&2; exit 3', async (command) => {
      await expect(runPlugin({ ...plugin, command })).rejects.toMatchObject({
        code: 'KubeCredentialsFailed',
        message: `${command} ended with status 3: no login`,
      });
    });
  });

  test('a program that is not there is told with the hint how to get it', async () => {
    const missing = { ...plugin, command: '/nowhere/login', installHint: 'apt install login-tool' };
    await expect(runPlugin(missing)).rejects.toMatchObject({
      code: 'KubeCredentialsFailed',
      message: expect.stringMatching(/^\/nowhere\/login cannot be run: .*ENOENT.*; apt install login-tool$/),
    });
  });
});
