// Sources that cannot be used, on a real API server with the controller as a process of its own: each says what is wrong and what to do, and goes on by itself once that was done.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { customResourceDefinitions } from '../../src/api/custom-resource-definition.ts';
import { API_VERSION } from '../../src/api/literals.ts';
import { clusterRights } from '../../src/controller/rights.ts';
import { canStartCluster } from '../../src/testing/cluster/can-start-cluster.ts';
import { type ClusterUser, startCluster, type TestCluster } from '../../src/testing/cluster/start-cluster.ts';
import { HttpFileServer } from '../../src/testing/http-file-server.ts';
import { buildOva } from '../../src/testing/ova-builder.ts';
import { makeSelfSignedCertificate } from '../../src/testing/self-signed-certificate.ts';
import { createControllerAccount } from './controller-account.ts';
import { ControllerProcess } from './controller-process.ts';

const files = { '/web.ova': buildOva({ machines: [{ id: 'web', disks: [] }], contents: {} }) };
const PASSWORD = 'a-secret-of-the-source';

interface SourceStatus {
  readonly status?: string;
  readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason?: string }[];
  readonly check?: { readonly reason?: string; readonly message?: string; readonly nextStep?: string };
}

describe.skipIf(!canStartCluster())('a source on a cluster', () => {
  let cluster: TestCluster;
  let user: ClusterUser;
  const certificate = makeSelfSignedCertificate();
  const servers: HttpFileServer[] = [];
  let controller: ControllerProcess | undefined;

  beforeAll(async () => {
    cluster = await startCluster({ crds: ['kubevirt', 'network-attachments', ...customResourceDefinitions()] });
    user = await createControllerAccount(cluster);
    await cluster.kubectl(['create', 'namespace', 'vms']);
    await cluster.kubectl(['create', 'namespace', 'vault']);
  });
  afterEach(async () => {
    // While somebody is there who takes the finalizers off.
    await cluster.kubectl(['delete', 'vmimport,ovasource,secret', '-n', 'vms', '--all', '--timeout=30s']);
    await controller?.stop();
  });
  afterAll(async () => {
    for (const server of servers) await server[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  test('whose Secret lacks a key is told which', async () => {
    const { url } = await serve({ credentials: { user: 'importer', password: PASSWORD } });
    await createSecret('vms', { username: 'importer' });
    await createSource('files', { url, credentials: { name: 'login', namespace: 'vms' } });
    const running = await start();
    const status = await untilReason(running, 'files', 'SourceAuthRequired');
    expect(status.check?.message).toContain('Secret "login" in namespace "vms" has no password');
    expect(await eventsOf('files')).toContain('SourceAuthRequired');
    await createSecret('vms', { username: 'importer', password: PASSWORD });
    await untilReason(running, 'files', undefined);
    expect(JSON.stringify(await statusOf('files')) + running.output).not.toContain(PASSWORD);
  });

  test('may name a Secret of another namespace, as with upstream, unless the installation forbids it', async () => {
    const { url } = await serve({ credentials: { user: 'importer', password: PASSWORD } });
    await createSecret('vault', { username: 'importer', password: PASSWORD });
    await createSource('files', { url, credentials: { name: 'login', namespace: 'vault' } });
    await untilReason(await start(), 'files', undefined);
    await controller?.stop();
    const strict = await start({ env: { AIRLIFT_SECRETS_OF_OTHER_NAMESPACES: 'deny' } });
    const { check, conditions } = await untilReason(strict, 'files', 'SecretNamespaceRefused');
    expect(check?.message).toContain('"vault"');
    expect(check?.nextStep).toContain('Copy the Secret');
    expect(conditions).toContainEqual(expect.objectContaining({ type: 'ClusterReady', status: 'False' }));
  });

  test('with a certificate that nobody vouches for needs its CA in the Secret, or says for ever that it is unproven', async () => {
    const { url } = await serve({ tls: certificate });
    await createSource('files', { url });
    const running = await start();
    await untilReason(running, 'files', 'SourceCertificateUntrusted');
    await createSource('files', { url, insecureSkipTLSVerify: true });
    const unproven = await untilReason(running, 'files', 'SourceTlsUnverified');
    expect(unproven.status).toBe('clusterReady');
    await createSecret('vms', { 'ca.crt': certificate.certificatePem });
    await createSource('files', { url, credentials: { name: 'login', namespace: 'vms' } });
    const proven = await untilReason(running, 'files', undefined);
    expect(proven.status).toBe('clusterReady');
  });

  test('with an address that is none is told without repeating what may be a password', async () => {
    await createSource('files', { url: `ftp://importer:${PASSWORD}@files.example/web.ova` });
    const running = await start();
    const { check } = await untilReason(running, 'files', 'SourceFieldInvalid');
    expect(check?.message).toContain('"ftp:"');
    expect(JSON.stringify(check) + running.output).not.toContain(PASSWORD);
  });

  test('whose Secret the controller may not read names the right, and is ready once that is granted', async () => {
    const { url } = await serve();
    await createSecret('vms', { username: 'importer' });
    await createSource('closed', { url, credentials: { name: 'login', namespace: 'vms' } });
    await createSource('open', { url });
    const blind = await createControllerAccount(cluster, {
      name: 'blind',
      rights: clusterRights.filter(({ resources }) => !resources.includes('secrets')),
    });
    const running = await start({ as: blind });
    const { check } = await untilReason(running, 'closed', 'ClusterForbidden');
    expect(check?.message).toMatch(/may not get secrets in namespace vms/);
    expect(check?.nextStep).toContain('ClusterRole');
    expect(await eventsOf('closed')).toContain('ClusterForbidden');
    await untilReason(running, 'open', undefined);
    await createControllerAccount(cluster, { name: 'blind', rights: clusterRights });
    await untilReason(running, 'closed', undefined);
  });

  test('is waited for by its imports: one that is created too late, or without a right that the import needs, goes on by itself', async () => {
    const { url } = await serve();
    await cluster.apply([
      {
        apiVersion: API_VERSION,
        kind: 'VirtualMachineImport',
        metadata: { name: 'web', namespace: 'vms' },
        spec: {
          virtualMachineName: 'web',
          sourceCluster: { apiVersion: API_VERSION, kind: 'OvaSource', name: 'late', namespace: 'vms' },
          networkMapping: [{ sourceNetwork: 'VM Network', destinationNetwork: 'vms/vlan' }],
        },
      },
    ]);
    const narrow = await createControllerAccount(cluster, {
      name: 'narrow',
      rights: clusterRights.filter(({ apiGroups }) => !apiGroups.includes('k8s.cni.cncf.io')),
    });
    const running = await start({ as: narrow });
    const progress = async () => {
      const path = 'jsonpath={.status.progress}';
      return JSON.parse((await cluster.kubectl(['get', 'vmimport', 'web', '-n', 'vms', '-o', path])) || '{}');
    };
    await running.until(async () => (await progress()).reason === 'ClusterForbidden');
    expect(await progress()).toMatchObject({
      phase: 'Stalled',
      message: expect.stringContaining('may not get network-attachment-definitions in namespace vms'),
      nextStep: expect.stringContaining('auth can-i'),
    });
    expect(await eventsOf('web')).toContain('ClusterForbidden');
    await createControllerAccount(cluster, { name: 'narrow', rights: clusterRights });
    await running.until(async () => (await progress()).reason !== 'ClusterForbidden');
    const codes = async () =>
      ((await progress()).findings ?? []).map(({ code }: { readonly code: string }) => code) as string[];
    expect(await codes()).toEqual(expect.arrayContaining(['NetworkMissing', 'SourceObjectMissing']));
    await createSource('late', { url });
    await running.until(async () => !(await codes()).includes('SourceObjectMissing'));
    expect(await codes()).toContain('NetworkMissing');
  });

  async function serve(options: Partial<Parameters<typeof HttpFileServer.start>[0]> = {}): Promise<{ url: string }> {
    const server = await HttpFileServer.start({ files, ...options });
    servers.push(server);
    return { url: server.url('/web.ova') };
  }

  async function start({
    as = user,
    env = {},
  }: {
    readonly as?: ClusterUser;
    readonly env?: Readonly<Record<string, string>>;
  } = {}): Promise<ControllerProcess> {
    controller = await ControllerProcess.start({ cluster, user: as, image: 'none', env });
    return controller;
  }

  async function createSource(name: string, spec: object): Promise<void> {
    const metadata = { name, namespace: 'vms' };
    await cluster.apply([{ apiVersion: API_VERSION, kind: 'OvaSource', metadata, spec }]);
  }

  async function createSecret(namespace: string, stringData: Readonly<Record<string, string>>): Promise<void> {
    await cluster.apply([{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'login', namespace }, stringData }]);
  }

  async function statusOf(name: string): Promise<SourceStatus> {
    const path = 'jsonpath={.status}';
    return JSON.parse((await cluster.kubectl(['get', 'ovasource', name, '-n', 'vms', '-o', path])) || '{}');
  }

  /** Undefined: until it is ready and nothing is wrong. */
  async function untilReason(
    running: ControllerProcess,
    name: string,
    reason: string | undefined,
  ): Promise<SourceStatus> {
    await running.until(async () => {
      const { status, check } = await statusOf(name);
      return check !== undefined && check.reason === reason && (reason !== undefined || status === 'clusterReady');
    }, 90_000);
    return await statusOf(name);
  }

  async function eventsOf(name: string): Promise<string> {
    const selector = `involvedObject.name=${name}`;
    let found = '';
    await controller?.until(async () => {
      found = await cluster.kubectl([
        'get',
        'events',
        '-n',
        'vms',
        '--field-selector',
        selector,
        '-o',
        'custom-columns=REASON:.reason',
      ]);
      return found.split('\n').length > 1;
    });
    return found;
  }
});
