// The command line as its own process against a real API: what it applies, shows, changes and removes, and what it says where it may or can not. Nobody copies here: the test writes the
// status that a controller would.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { customResourceDefinitions } from '../../src/api/custom-resource-definition.ts';
import { type ClusterUser, startCluster, type TestCluster } from '../../src/testing/cluster/start-cluster.ts';
import { type CliResult, type RunningCli, startCli, temporaryFolder } from '../support.ts';
import { eventually } from './eventually.ts';

const API = 'migration.harvesterhci.io/v1beta1';
const UID_LABEL = 'migration.harvesterhci.io/import-uid';
const HOLD = 'example.com/hold';
const folder = temporaryFolder();

let cluster: TestCluster;
let namespace: string;
let count = 0;
beforeAll(async () => {
  cluster = await startCluster({ crds: ['kubevirt', ...customResourceDefinitions()] });
});
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});
beforeEach(async () => {
  count += 1;
  namespace = `vms-${count}`;
  await cluster.kubectl(['create', 'namespace', namespace]);
  await renewLease();
});

/** As a controller that leads does it. */
async function renewLease(agoMs = 0): Promise<void> {
  const renewTime = new Date(Date.now() - agoMs).toISOString().replace('Z', '000Z');
  await cluster.apply([
    {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'airlift-controller', namespace: 'default' },
      spec: { holderIdentity: 'controller-0', renewTime, leaseDurationSeconds: 15 },
    },
  ]);
}

function start(
  args: readonly string[],
  { kubeconfigPath }: Pick<ClusterUser, 'kubeconfigPath'> = cluster.admin,
): RunningCli {
  return startCli(args, { env: { KUBECONFIG: kubeconfigPath } });
}
const run = (args: readonly string[], user?: Pick<ClusterUser, 'kubeconfigPath'>): Promise<CliResult> =>
  start(args, user).result;
const words = ({ stdout, stderr }: CliResult) => `${stdout}\n${stderr}`.replaceAll(/\s+/g, ' ');

function writeManifest(name: string, ...objects: object[]): string {
  const path = join(folder.path, name);
  writeFileSync(path, objects.map((each) => JSON.stringify(each)).join('\n---\n'));
  return path;
}

function anImport(name: string, spec: object = {}): object {
  const sourceCluster = { apiVersion: API, kind: 'OvaSource', name: 'files', namespace };
  return {
    apiVersion: API,
    kind: 'VirtualMachineImport',
    metadata: { name, namespace },
    spec: { virtualMachineName: name, sourceCluster, ...spec },
  };
}

const aSource = () => ({
  apiVersion: API,
  kind: 'OvaSource',
  metadata: { name: 'files', namespace },
  spec: { url: 'https://me:hidden@files.example/web01.ova' },
});

async function read(kind: string, name: string) {
  return JSON.parse(await cluster.kubectl(['get', kind, name, '-n', namespace, '-o', 'json']));
}

async function isThere(kind: string, name: string): Promise<boolean> {
  return (await cluster.kubectl(['get', kind, name, '-n', namespace, '-o', 'name', '--ignore-not-found'])) !== '';
}

/** What the controller would write. */
async function setStatus(name: string, progress: object, status: object = {}): Promise<void> {
  const { metadata } = await read('vmimport', name);
  const told = { observedGeneration: metadata.generation, ...progress };
  const patch = JSON.stringify({ status: { ...status, progress: told } });
  await cluster.kubectl([
    'patch',
    'vmimport',
    name,
    '-n',
    namespace,
    '--subresource=status',
    '--type=merge',
    '-p',
    patch,
  ]);
}

/** A claim and a ConfigMap of this import. */
async function makeObjects(importUid: string, suffix: string): Promise<void> {
  const metadata = (name: string) => ({
    name: `${name}-${suffix}`,
    namespace,
    labels: {
      [UID_LABEL]: importUid,
      'app.kubernetes.io/managed-by': 'airlift',
      'migration.harvesterhci.io/disk': '0',
    },
  });
  const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
  await cluster.apply([
    { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: metadata('disk'), spec },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata('record'), data: {} },
  ]);
}

const until = (isSo: () => boolean | Promise<boolean>, what: () => string) =>
  eventually(isSo, what, { mostMs: 30_000, everyMs: 100 });

describe('apply, get, describe', () => {
  test('a manifest with a Secret, a source and an import, written and looked at', async () => {
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'files-login' },
      stringData: { username: 'me', password: 'very-hidden' },
    };
    const path = writeManifest('web.yaml', secret, aSource(), anImport('web01', { run: false }));
    const created = await run(['apply', '-f', path, '-n', namespace]);
    expect(created).toMatchObject({ status: 0, stderr: '' });
    expect(created.stdout).toBe(
      `created  Secret ${namespace}/files-login\ncreated  OvaSource ${namespace}/files\ncreated  VirtualMachineImport ${namespace}/web01\n`,
    );
    expect((await run(['apply', '-f', path, '-n', namespace])).stdout.match(/unchanged/g)).toHaveLength(3);

    await setStatus('web01', {
      phase: 'Transferring',
      reason: 'TransferRunning',
      percent: '42%',
      doneBytes: 42 * 1024 ** 2,
      totalBytes: 100 * 1024 ** 2,
      bytesPerSecond: 7 * 1024 ** 2,
      etaSeconds: 8,
    });
    const table = await run(['get', '-n', namespace]);
    expect(table.stdout).toMatch(
      /NAME +PHASE +DONE +SPEED +LEFT +REASON +AGE\nweb01 +Transferring +42% +7 MiB\/s +8.0 s +TransferRunning +\d+s/,
    );
    const all = JSON.parse((await run(['get', '-A', '-o', 'json'])).stdout);
    expect(all.imports).toContainEqual(expect.objectContaining({ namespace, name: 'web01', percent: '42%' }));
    const sources = await run(['get', 'sources', '-n', namespace]);
    expect(sources.stdout).toContain('https://files.example/web01.ova');
    expect(words(table) + words(sources)).not.toContain('hidden');
  });

  test.each([
    [{ storageClas: 'fast' }, 'spec.storageClas: field not declared in schema'],
    [{ target: {} }, 'give exactly one of volume, image, dataVolume'],
  ])('a spec that is wrong is refused with the words of the API: %j', async (spec, part) => {
    const refused = await run(['apply', '-f', writeManifest('wrong.yaml', aSource(), anImport('web01', spec))]);
    expect(refused.status).toBe(1);
    expect(words(refused)).toContain('error ClusterObjectInvalid');
    expect(words(refused)).toContain(part);
    expect(words(refused)).toContain(
      `created OvaSource ${namespace}/files failed VirtualMachineImport ${namespace}/web01`,
    );
  });

  test("fields that kubectl wrote are kubectl's until they are taken", async () => {
    await cluster.apply([anImport('web01', { storageClass: 'slow' })]);
    const path = writeManifest('conflict.yaml', anImport('web01', { storageClass: 'fast' }));
    const refused = await run(['apply', '-f', path]);
    expect(refused.status).toBe(1);
    expect(words(refused)).toContain('error ClusterConflict');
    expect((await run(['apply', '-f', path, '--force'])).status).toBe(0);
    expect((await read('vmimport', 'web01')).spec.storageClass).toBe('fast');
  });

  test('everything about an import that is stopped: findings, conditions, objects, events, next step', async () => {
    await cluster.apply([aSource(), anImport('web01')]);
    const { metadata } = await read('vmimport', 'web01');
    await makeObjects(metadata.uid, 'a');
    await setStatus(
      'web01',
      {
        phase: 'Stalled',
        reason: 'StorageClassMissing',
        message: 'there is no StorageClass "fats"',
        nextStep: 'Choose another class.',
        findings: [
          {
            severity: 'blocker',
            code: 'StorageClassMissing',
            message: 'there is no StorageClass "fats"',
            remedy: 'Choose another class.',
          },
        ],
      },
      {
        importStatus: 'virtualMachineImportValid',
        importConditions: [{ type: 'PreflightPassed', status: 'False', reason: 'StorageClassMissing' }],
      },
    );
    await cluster.apply([
      {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name: 'web01.1', namespace },
        involvedObject: { apiVersion: API, kind: 'VirtualMachineImport', name: 'web01', namespace, uid: metadata.uid },
        type: 'Warning',
        reason: 'StorageClassMissing',
        message: 'the event says it too',
        lastTimestamp: new Date().toISOString(),
      },
    ]);
    const described = await run(['describe', 'web01', '-n', namespace]);
    expect(described.status).toBe(0);
    for (const part of [
      'phase Stalled',
      'next step Choose another class.',
      `source OvaSource ${namespace}/files: not looked at yet, https://files.example/web01.ova`,
      'Findings blocker StorageClassMissing: there is no StorageClass "fats" -> Choose another class.',
      'PreflightPassed False',
      'PersistentVolumeClaim disk-a Pending, 1Gi',
      'ConfigMap record-a',
      'StorageClassMissing VirtualMachineImport web01 the event says it too',
    ])
      expect(words(described)).toContain(part);
    expect(words(described)).not.toContain('hidden');
  });
});

describe('following', () => {
  test('get -w shows how it goes on, through a restart of the API, until it is done', async () => {
    await cluster.apply([aSource(), anImport('web01')]);
    const running = start(['get', 'web01', '-w', '-n', namespace]);
    let seen = '';
    running.process.stderr?.on('data', (text: string) => {
      seen += text;
    });
    await until(
      () => seen.includes('Pending'),
      () => seen,
    );
    await setStatus('web01', { phase: 'Transferring', reason: 'TransferRunning' });
    await until(
      () => seen.includes('Transferring'),
      () => seen,
    );
    await cluster.stopApiServer('SIGKILL');
    await until(
      () => seen.includes('looking again in'),
      () => seen,
    );
    await cluster.startApiServer();
    await setStatus('web01', { phase: 'Finished', reason: 'Complete' }, { importedVirtualMachineName: 'web01' });
    const ended = await running.result;
    expect(ended.status).toBe(0);
    expect(ended.stdout).toMatch(/web01 +Finished/);
  });

  test('apply -w ends with 3 at what a person has to change, and says what', async () => {
    const path = writeManifest('blocked.yaml', aSource(), anImport('web01'));
    const running = start(['apply', '-f', path, '-w', '-o', 'json']);
    await until(
      () => isThere('vmimport', 'web01'),
      () => 'no import',
    );
    const finding = { severity: 'blocker', code: 'ImportFieldInvalid', message: 'it is wrong', remedy: 'Correct it.' };
    await setStatus('web01', {
      phase: 'Stalled',
      reason: 'ImportFieldInvalid',
      message: 'it is wrong',
      nextStep: 'Correct it.',
      findings: [finding],
    });
    const ended = await running.result;
    expect(ended.status).toBe(3);
    expect(words(ended)).toContain('Stalled, ImportFieldInvalid: it is wrong -> Correct it.');
  });

  test('an interruption ends with 130 at once and changes nothing', async () => {
    await cluster.apply([anImport('web01')]);
    const running = start(['get', '-w', '-n', namespace]);
    let seen = '';
    running.process.stderr?.on('data', (text: string) => {
      seen += text;
    });
    await until(
      () => seen.includes('Pending'),
      () => seen,
    );
    running.process.kill('SIGINT');
    expect(await running.result).toMatchObject({ status: 130, stderr: expect.stringContaining('nothing was changed') });
  });
});

describe('changing and removing', () => {
  test('retry, suspend and resume write one word of the spec each', async () => {
    await cluster.apply([anImport('web01')]);
    await setStatus('web01', { phase: 'Failed', reason: 'TransferFailed' });
    expect((await run(['retry', 'web01', '-n', namespace])).status).toBe(0);
    expect((await read('vmimport', 'web01')).spec.retry).toMatch(/^\d{4}-\d\d-\d\dT/);
    expect((await run(['suspend', 'web01', '-n', namespace])).status).toBe(0);
    expect((await read('vmimport', 'web01')).spec.suspend).toBe(true);
    expect((await run(['resume', 'web01', '-n', namespace])).status).toBe(0);
    expect((await read('vmimport', 'web01')).spec.suspend).toBe(false);
  });

  test('delete shows what goes, and waits until whoever holds it has let go', async () => {
    await cluster.apply([anImport('web01')]);
    await cluster.kubectl([
      'patch',
      'vmimport',
      'web01',
      '-n',
      namespace,
      '--type=merge',
      '-p',
      `{"metadata":{"finalizers":["${HOLD}"]}}`,
    ]);
    const { metadata } = await read('vmimport', 'web01');
    await makeObjects(metadata.uid, 'a');
    const running = start(['delete', 'web01', '-n', namespace, '--yes']);
    await until(
      async () => (await read('vmimport', 'web01')).metadata.deletionTimestamp !== undefined,
      () => 'not asked',
    );
    await cluster.kubectl([
      'patch',
      'vmimport',
      'web01',
      '-n',
      namespace,
      '--type=merge',
      '-p',
      '{"metadata":{"finalizers":null}}',
    ]);
    const ended = await running.result;
    expect(ended.status).toBe(0);
    expect(words(ended)).toMatch(/goes with it ConfigMap record-a.* PersistentVolumeClaim disk-a/);
    expect(await isThere('vmimport', 'web01')).toBe(false);
  });

  test('delete leaves what a finished import made; cancel refuses to touch it', async () => {
    await cluster.apply([anImport('web01')]);
    const { metadata } = await read('vmimport', 'web01');
    await makeObjects(metadata.uid, 'a');
    await setStatus('web01', { phase: 'Finished', reason: 'Complete' }, { importedVirtualMachineName: 'web01' });
    const refused = await run(['cancel', 'web01', '-n', namespace, '--yes']);
    expect(refused.status).toBe(1);
    expect(words(refused)).toContain('error ImportFinished');
    const asked = await run(['delete', 'web01', '-n', namespace]);
    expect(asked.status).toBe(2);
    expect(words(asked)).toContain('stays PersistentVolumeClaim disk-a');
    expect(await isThere('vmimport', 'web01')).toBe(true);
    expect((await run(['delete', 'web01', '-n', namespace, '--yes'])).status).toBe(0);
    expect(await isThere('pvc', 'disk-a')).toBe(true);
  });

  test('cancel removes what is under way', async () => {
    await cluster.apply([anImport('web01')]);
    await setStatus('web01', { phase: 'Transferring', reason: 'TransferRunning' });
    expect((await run(['cancel', 'web01', '-n', namespace, '--yes'])).status).toBe(0);
    expect(await isThere('vmimport', 'web01')).toBe(false);
  });

  test('where no controller leads, that is said and nothing is waited for', async () => {
    await renewLease(600_000);
    await cluster.apply([anImport('web01')]);
    await cluster.kubectl([
      'patch',
      'vmimport',
      'web01',
      '-n',
      namespace,
      '--type=merge',
      '-p',
      `{"metadata":{"finalizers":["${HOLD}"]}}`,
    ]);
    const ended = await run(['delete', 'web01', '-n', namespace, '--yes']);
    expect(ended.status).toBe(0);
    expect(words(ended)).toContain(
      'ControllerMissing: nobody acts on imports: the lease default/airlift-controller was last renewed 10 min',
    );
  });

  test('orphans are listed and removed, volumes only when told', async () => {
    await cluster.apply([anImport('web01')]);
    const { metadata } = await read('vmimport', 'web01');
    await makeObjects(metadata.uid, 'alive');
    await makeObjects('5e3f7f0e-0000-4000-8000-000000000000', 'left');
    const listed = await run(['orphans', 'list', '-n', namespace, '-o', 'json']);
    const names = (result: CliResult) => JSON.parse(result.stdout).orphans.map((each: { name: string }) => each.name);
    expect(names(listed)).toEqual(['record-left', 'disk-left']);
    expect((await run(['orphans', 'clean', '-n', namespace])).status).toBe(2);
    expect((await run(['orphans', 'clean', '-n', namespace, '--yes'])).stdout).toBe('1 of 1 removed\n');
    expect(names(await run(['orphans', 'list', '-n', namespace, '-o', 'json']))).toEqual(['disk-left']);
    expect((await run(['orphans', 'clean', '-n', namespace, '--yes', '--volumes'])).stdout).toBe('1 of 1 removed\n');
    expect(await isThere('configmap', 'record-alive')).toBe(true);
    expect(await isThere('pvc', 'disk-alive')).toBe(true);
  });
});

describe('what stands in the way', () => {
  test('403 names the missing verb, the resource, the namespace and how to look', async () => {
    const user = await cluster.createUser('nobody');
    for (const [args, verb] of [
      [['get', '-n', namespace], 'list'],
      [['describe', 'web01', '-n', namespace], 'get'],
      [['apply', '-f', writeManifest('forbidden.yaml', anImport('web01'))], 'patch'],
    ] as const) {
      const refused = await run(args, user);
      expect(refused.status).toBe(1);
      expect(words(refused)).toContain('error ClusterForbidden');
      expect(words(refused)).toContain(
        `kubectl auth can-i ${verb} virtualmachineimports.migration.harvesterhci.io --namespace ${namespace}`,
      );
    }
  });

  test('who may see imports and nothing else gets what may be seen, and 5', async () => {
    const user = await cluster.createUser('viewer');
    const metadata = { name: 'viewer', namespace };
    const apiVersion = 'rbac.authorization.k8s.io/v1';
    const apiGroup = 'rbac.authorization.k8s.io';
    await cluster.apply([
      anImport('web01'),
      {
        apiVersion,
        kind: 'Role',
        metadata,
        rules: [
          { apiGroups: ['migration.harvesterhci.io'], resources: ['virtualmachineimports'], verbs: ['get', 'list'] },
        ],
      },
      {
        apiVersion,
        kind: 'RoleBinding',
        metadata,
        roleRef: { apiGroup, kind: 'Role', name: 'viewer' },
        subjects: [{ apiGroup, kind: 'User', name: 'viewer' }],
      },
    ]);
    expect((await run(['get', '-n', namespace], user)).stdout).toContain('web01');
    const described = await run(['describe', 'web01', '-n', namespace], user);
    expect(described.status).toBe(5);
    expect(words(described)).toContain('phase Pending');
    expect(words(described)).toContain(`kubectl auth can-i list pods --namespace ${namespace}`);
    const denied = await run(['suspend', 'web01', '-n', namespace], user);
    expect(denied.status).toBe(1);
    expect(words(denied)).toContain('can-i patch virtualmachineimports');
  });

  test('a cluster that is away is named with its address', async () => {
    const text = JSON.stringify({
      'current-context': 'away',
      contexts: [{ name: 'away', context: { cluster: 'away' } }],
      clusters: [{ name: 'away', cluster: { server: 'https://127.0.0.1:1' } }],
      users: [],
    });
    const kubeconfigPath = join(folder.path, 'away.kubeconfig');
    writeFileSync(kubeconfigPath, text);
    const away = await run(['get'], { kubeconfigPath });
    expect(away.status).toBe(1);
    expect(words(away)).toContain('error ClusterUnreachable');
    expect(words(away)).toContain('https://127.0.0.1:1');
  });

  test.each([
    [['get', '--kubeconfig', '/nowhere/kubeconfig'], 'error KubeconfigMissing', '/nowhere/kubeconfig'],
    [['get', '--context', 'prod'], 'error KubeconfigUnusable', 'there is no context prod; it knows: '],
  ])('%j: %s', async (args, error, part) => {
    const refused = await run(args);
    expect(refused.status).toBe(1);
    expect(words(refused)).toContain(error);
    expect(words(refused)).toContain(part);
  });

  test('the context says the namespace, where nothing else does', async () => {
    await cluster.apply([anImport('web01')]);
    const config = JSON.parse(await cluster.kubectl(['config', 'view', '--raw', '-o', 'json']));
    config.contexts[0].context.namespace = namespace;
    const kubeconfigPath = join(folder.path, 'namespaced.kubeconfig');
    writeFileSync(kubeconfigPath, JSON.stringify(config));
    expect((await run(['get'], { kubeconfigPath })).stdout).toContain('web01');
  });

  test('a cluster without our kinds says how to install them', async () => {
    await using bare = await startCluster();
    const missing = await run(['get'], bare.admin);
    expect(missing.status).toBe(1);
    expect(words(missing)).toContain('error ClusterKindMissing');
    expect(words(missing)).toContain('airlift crd | kubectl apply');
  });
});
