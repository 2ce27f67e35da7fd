import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { ManualClock } from '../testing/manual-clock.ts';
import { loadAccess } from './load-access.ts';

let folder: string;
let clock: ManualClock;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'airlift-kubeconfig-'));
  clock = new ManualClock();
});
afterEach(async () => await rm(folder, { recursive: true }));

const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
const base64 = (text: string) => Buffer.from(text).toString('base64');

/** A kubeconfig with one cluster, user and context, all of one name. */
function config(
  name: string,
  { cluster = {}, user = {}, context = {}, ...more }: Record<string, object | string> = {},
) {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    clusters: [{ name, cluster: { server: `https://${name}.example:6443`, ...(cluster as object) } }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name, ...(context as object) } }],
    ...more,
  };
}

async function write(file: string, content: unknown): Promise<string> {
  const path = join(folder, file);
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, typeof content === 'string' ? content : stringify(content));
  return path;
}

const load = async (options: Partial<Parameters<typeof loadAccess>[0]> = {}) =>
  await loadAccess({ clock, env: {}, homeFolder: folder, ...options });
const tokenOf = async (options: Partial<Parameters<typeof loadAccess>[0]> = {}) =>
  (await (await load(options)).identity.current()).headers.authorization;

describe('where the cluster is said', () => {
  test('~/.kube/config, when nothing else is', async () => {
    const path = await write('.kube/config', config('home', { context: { namespace: 'web' } }));
    expect(await load()).toMatchObject({
      origin: `context home of ${path}`,
      server: new URL('https://home.example:6443'),
      namespace: 'web',
      isUnverified: false,
      remarks: [],
    });
  });

  test('KUBECONFIG before ~/.kube/config, and a named file before both', async () => {
    await write('.kube/config', config('home'));
    const KUBECONFIG = await write('env.yaml', config('env'));
    const kubeconfig = await write('named.yaml', config('named'));
    expect((await load({ env: { KUBECONFIG } })).server.host).toBe('env.example:6443');
    expect((await load({ env: { KUBECONFIG }, kubeconfig })).server.host).toBe('named.example:6443');
  });

  test('several files are one: of each name the first counts, files that are not there are passed over', async () => {
    const one = await write('one.yaml', { ...config('shared'), users: [{ name: 'shared', user: { token: 'first' } }] });
    const two = await write('two.yaml', {
      'current-context': 'second',
      clusters: [{ name: 'shared', cluster: { server: 'https://never.example' } }],
      users: [
        { name: 'shared', user: { token: 'never' } },
        { name: 'more', user: { token: 'second' } },
      ],
      contexts: [{ name: 'second', context: { cluster: 'shared', user: 'more' } }],
    });
    const env = { KUBECONFIG: `${join(folder, 'missing.yaml')}:${one}::${two}` };
    expect((await load({ env })).origin).toBe(`context shared of ${one}`);
    expect(await tokenOf({ env })).toBe('Bearer first');
    expect(await tokenOf({ env, context: 'second' })).toBe('Bearer second');
    expect((await load({ env, context: 'second' })).server.host).toBe('shared.example:6443');
  });

  test('the service account of the Pod, when there is no kubeconfig', async () => {
    const serviceAccountFolder = join(folder, 'sa');
    for (const [file, content] of Object.entries({ token: 't1\n', 'ca.crt': PEM, namespace: 'system\n' }))
      await write(`sa/${file}`, content);
    const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };
    const access = await load({ env, serviceAccountFolder });
    expect(access).toMatchObject({
      origin: 'the service account of this Pod',
      namespace: 'system',
      server: new URL('https://[fd00::1]:443'),
    });
    expect(await access.readCa()).toBe(PEM);
    expect((await access.identity.current()).headers).toEqual({ authorization: 'Bearer t1' });
    await rm(join(serviceAccountFolder, 'ca.crt'));
    await expect(access.readCa()).rejects.toMatchObject({ code: 'KubeCredentialsFailed' });
  });

  test.each([
    ['a named file that is not there', { kubeconfig: '/nowhere/config' }, 'KubeconfigMissing', '/nowhere/config'],
    ['nothing at all', {}, 'KubeconfigMissing', '.kube/config names no cluster'],
  ])('%s is told as such', async (_what, options, code, words) => {
    await expect(load(options)).rejects.toMatchObject({ code, message: expect.stringContaining(words) });
  });

  test('a file without any cluster is as good as none', async () => {
    await write('.kube/config', 'apiVersion: v1\nkind: Config\nclusters: null\n');
    await expect(load()).rejects.toMatchObject({ code: 'KubeconfigMissing' });
    await write('.kube/config', '');
    await expect(load()).rejects.toMatchObject({ code: 'KubeconfigMissing' });
  });
});

describe('contexts', () => {
  test('one that is not there is named, with those that are', async () => {
    await write('.kube/config', config('home'));
    await expect(load({ context: 'prod' })).rejects.toMatchObject({
      code: 'KubeconfigUnusable',
      message: 'there is no context prod; it knows: home',
    });
  });

  test.each([
    ['no current context', { 'current-context': '' }, 'no current context'],
    ['a cluster that is not there', { context: { cluster: 'gone' } }, 'names the cluster gone'],
    ['a user that is not there', { context: { user: 'gone' } }, 'names the user gone'],
    ['an address that is none', { cluster: { server: 'https://' } }, 'no usable address'],
    ['no address', { cluster: { server: null } }, 'no usable address'],
    ['a password in the address', { cluster: { server: 'https://me:hunter2@x' } }, 'no usable address'],
    ['a proxy', { cluster: { 'proxy-url': 'http://proxy:3128' } }, 'proxy-url'],
    ['a CA file that is not there', { cluster: { 'certificate-authority': 'ca.pem' } }, 'ca.pem cannot be read'],
    [
      'a CA that is no PEM',
      { cluster: { 'certificate-authority-data': base64('hello') } },
      'certificate-authority-data is no PEM',
    ],
    ['a certificate without key', { user: { 'client-certificate-data': base64(PEM) } }, 'no client-key'],
    ['an auth-provider', { user: { 'auth-provider': { name: 'gcp', config: {} } } }, 'auth-provider gcp'],
    [
      'a plugin without command',
      { user: { exec: { apiVersion: 'client.authentication.k8s.io/v1' } } },
      'has no command',
    ],
    [
      'a plugin of an old version',
      { user: { exec: { apiVersion: 'client.authentication.k8s.io/v1alpha1', command: 'x' } } },
      'v1alpha1',
    ],
    [
      'a plugin that needs a person',
      { user: { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: 'x', interactiveMode: 'Always' } } },
      'interactiveMode',
    ],
    ['a list where text belongs', { user: { token: ['hunter2'] } }, 'users.0.user.token'],
  ])('%s is named, and no secret with it', async (_what, parts, words) => {
    await write('.kube/config', config('home', parts));
    const error = await load().catch((each) => each);
    expect(error).toMatchObject({ code: 'KubeconfigUnusable', message: expect.stringContaining(words) });
    expect(`${error.message} ${error.cause}`).not.toContain('hunter2');
  });

  test('a file that is no YAML is named with the line, not with its text', async () => {
    await write('.kube/config', 'apiVersion: v1\nusers:\n  - token: "hunter2\n   broken: [\n');
    const error = await load().catch((each) => each);
    expect(error.message).toMatch(/\.kube\/config, line \d+: this is no YAML/);
    expect(`${error.message} ${error.cause} ${error.stack}`).not.toContain('hunter2');
  });

  test('an address without a scheme means https', async () => {
    await write('.kube/config', config('home', { cluster: { server: 'host.example:6443' } }));
    expect((await load()).server.href).toBe('https://host.example:6443/');
  });

  test('a server that is not checked is a remark for ever', async () => {
    await write(
      '.kube/config',
      config('home', { cluster: { 'insecure-skip-tls-verify': true, 'tls-server-name': 'inner' } }),
    );
    expect(await load()).toMatchObject({
      isUnverified: true,
      serverName: 'inner',
      remarks: [
        {
          severity: 'warning',
          code: 'ClusterTlsUnverified',
          message: expect.stringContaining('https://home.example:6443'),
        },
      ],
    });
  });
});

describe('who one is', () => {
  const current = async (user: object) => {
    await write('.kube/config', config('home', { user }));
    return await (await load()).identity.current();
  };

  test.each([
    ['a token', { token: 't' }, { authorization: 'Bearer t' }],
    ['a password', { username: 'me', password: 'p' }, { authorization: `Basic ${base64('me:p')}` }],
    ['nobody', {}, {}],
    [
      'somebody else',
      { token: 't', as: 'root', 'as-uid': '5', 'as-groups': ['a', 'b'], 'as-user-extra': { 'Scope/x': ['1'] } },
      {
        authorization: 'Bearer t',
        'impersonate-user': 'root',
        'impersonate-uid': '5',
        'impersonate-group': ['a', 'b'],
        'impersonate-extra-scope%2Fx': ['1'],
      },
    ],
  ])('%s', async (_what, user, headers) => {
    expect((await current(user)).headers).toEqual(headers);
  });

  test('a certificate, from the file itself or beside it', async () => {
    await write('.kube/pki/client.key', 'key of the file');
    const user = {
      'client-certificate-data': base64(PEM),
      'client-certificate': 'ignored.pem',
      'client-key': 'pki/client.key',
    };
    expect((await current(user)).certificate).toEqual({ certificatePem: PEM, keyPem: 'key of the file' });
  });

  test('a token in a file, which counts more than one beside it and is read again', async () => {
    const path = await write('.kube/token', 'first');
    await write('.kube/config', config('home', { user: { token: 'never', tokenFile: 'token' } }));
    const { identity } = await load();
    expect((await identity.current()).headers.authorization).toBe('Bearer first');
    await writeFile(path, 'second\n');
    expect((await identity.current()).headers.authorization).toBe('Bearer first');
    await clock.advance(60_000);
    expect((await identity.current()).headers.authorization).toBe('Bearer second');
    await writeFile(path, 'third');
    expect(identity.refuse()).toBe(true);
    expect((await identity.current()).headers.authorization).toBe('Bearer third');
    expect(identity.refuse()).toBe(true);
    expect((await identity.current()).headers.authorization).toBe('Bearer third');
    // The same one once more: there is no other to be had.
    expect(identity.refuse()).toBe(false);
  });

  test('a token file that is away for a moment does no harm; one that was never there does', async () => {
    const path = await write('.kube/token', 'first');
    await write('.kube/config', config('home', { user: { tokenFile: 'token' } }));
    const { identity } = await load();
    await identity.current();
    await rm(path);
    await clock.advance(60_000);
    expect((await identity.current()).headers.authorization).toBe('Bearer first');
    const other = await load();
    await expect(other.identity.current()).rejects.toMatchObject({
      code: 'KubeCredentialsFailed',
      message: expect.stringContaining('token'),
    });
    await writeFile(path, ' \n');
    await expect(other.identity.current()).rejects.toMatchObject({ message: expect.stringContaining('is empty') });
  });
});
