import { beforeEach, describe, expect, test } from 'vitest';
import {
  configMapKind,
  jobKind,
  leaseKind,
  persistentVolumeClaimKind,
  podKind,
  secretKind,
} from '../api/core-kinds.ts';
import { CONTROLLER_LEASE } from '../api/literals.ts';
import { ovaSourceKind } from '../api/ova-source.ts';
import { virtualMachineKind } from '../api/platform-kinds.ts';
import { type StoredVirtualMachineImport, virtualMachineImportKind } from '../api/virtual-machine-import.ts';
import { refOf } from '../domain/kubernetes-object.ts';
import { ProblemError } from '../domain/problems.ts';
import {
  aClaim,
  aClusterFor,
  aJob,
  aPod,
  aSource,
  aVirtualMachine,
  madeBy,
  NAMESPACE,
  setProgress,
  store,
  storeImport,
} from '../testing/cluster-samples.ts';
import { ManualClock, settle } from '../testing/manual-clock.ts';
import type { MemoryCluster } from '../testing/memory-cluster.ts';
import { type CliWorld, runClusterCli } from '../testing/run-cluster-cli.ts';
import { ExitCode } from './exit-code.ts';

const API = 'migration.harvesterhci.io/v1beta1';
const NOW = Date.parse('2026-11-01T10:00:00Z');
let clock: ManualClock;
let cluster: MemoryCluster;
beforeEach(async () => {
  clock = new ManualClock();
  clock.ms = NOW;
  cluster = aClusterFor(clock);
  await renewLease();
});

const run = (argv: readonly string[], world: Partial<CliWorld> = {}) =>
  runClusterCli(argv, { cluster, clock, ...world });
const get = (name: string) => cluster.get(virtualMachineImportKind, { namespace: NAMESPACE, name });
const forbidden = (what: string) => new ProblemError('ClusterForbidden', what);

async function renewLease(): Promise<void> {
  await cluster.create(leaseKind, {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: CONTROLLER_LEASE, namespace: 'harvester-system' },
    spec: { holderIdentity: 'controller-0', renewTime: new Date(NOW).toISOString() },
  });
}
const loseController = () => cluster.delete(leaseKind, { namespace: 'harvester-system', name: CONTROLLER_LEASE });

const copying = {
  phase: 'Transferring' as const,
  reason: 'TransferRunning',
  percent: '42%',
  doneBytes: 4 * 1024 ** 3,
  totalBytes: 10 * 1024 ** 3,
  bytesPerSecond: 120 * 1024 ** 2,
  etaSeconds: 51,
};
const blocked = {
  phase: 'Stalled' as const,
  reason: 'ImportFieldInvalid',
  message: 'spec.networkMapping[0]: "a/b/c" is neither "name" nor "namespace/name"',
  nextStep: 'Correct the field that is named.',
  findings: [
    {
      severity: 'blocker' as const,
      code: 'ImportFieldInvalid',
      message: 'spec.networkMapping[0]: "a/b/c" is neither "name" nor "namespace/name"',
      remedy: 'Correct the field that is named.',
    },
    { severity: 'warning' as const, code: 'OfAnotherVersion', message: 'of a controller to come', remedy: 'Wait.' },
    { severity: 'note' as const, code: 'HardwareDropped', message: 'the floppy is left out' },
  ],
};

describe('get', () => {
  test('lists imports with how far they are, and under them what is to be done', async () => {
    await storeImport(cluster, { name: 'web01', progress: copying });
    await storeImport(cluster, { name: 'web02', progress: blocked });
    await storeImport(cluster, { name: 'web03' });
    const { exitCode, out, err, left } = await run(['get']);
    expect(exitCode).toBe(ExitCode.ok);
    expect(out).toMatchInlineSnapshot(`
      "NAME   PHASE         DONE  SPEED      LEFT  REASON              AGE
      web01  Transferring  42%   120 MiB/s  51 s  TransferRunning     0s
      web02  Stalled                              ImportFieldInvalid  0s
      web03  Pending                                                  0s
      "
    `);
    expect(err).toMatchInlineSnapshot(`
      "
      web02: ImportFieldInvalid
        spec.networkMapping[0]: "a/b/c" is neither "name" nor "namespace/name"
        -> Correct the field that is named.
      "
    `);
    expect(left).toBe(0);
  });

  test('lists all namespaces, one, or single names', async () => {
    await storeImport(cluster, { name: 'web01' });
    await storeImport(cluster, { name: 'db', namespace: 'other' });
    expect((await run(['get', '-A'])).out).toMatch(/^NAMESPACE +NAME[\s\S]*other +db[\s\S]*vms +web01/);
    expect((await run(['get', '-n', 'other'])).out).toMatch(/^NAME [\s\S]*db/);
    expect((await run(['get', 'imports', 'web01'])).out).toContain('web01');
    const missing = await run(['get', 'web99']);
    expect(missing.exitCode).toBe(ExitCode.problem);
    expect(missing.err).toContain('there are: web01');
  });

  test('gives machines the same in JSON, and an empty list where there is nothing', async () => {
    const empty = await run(['get', '-o', 'json']);
    expect(JSON.parse(empty.out)).toEqual({ imports: [] });
    expect(empty.err).toBe('no imports in namespace vms\n');
    await storeImport(cluster, { progress: copying });
    expect(JSON.parse((await run(['get', '-o', 'json'])).out).imports).toMatchObject([
      { namespace: 'vms', name: 'web01', phase: 'Transferring', verdict: 'open', percent: '42%', etaSeconds: 51 },
    ]);
  });

  test('lists sources, with an address that holds no secret', async () => {
    const check = { reason: 'SourceUnreachable', message: 'no route', nextStep: 'Open port 443.' };
    const spec = { url: 'https://me:secret@files.example/web01.ova' };
    await store(cluster, ovaSourceKind, aSource({ spec, status: { status: 'clusterNotReady', check } }));
    const { out, err } = await run(['get', 'sources']);
    expect(out).toContain('OvaSource  clusterNotReady  SourceUnreachable  https://files.example/web01.ova');
    expect(err).toContain('-> Open port 443.');
    expect(out + err).not.toContain('secret');
    expect(JSON.parse((await run(['get', 'sources', 'files', '-o', 'json'])).out).sources).toHaveLength(1);
    expect((await run(['get', 'source', 'nowhere'])).err).toContain('no source "nowhere"');
  });

  test('tells that nobody acts on what is under way', async () => {
    await loseController();
    await storeImport(cluster, { progress: { phase: 'Finished' } });
    expect((await run(['get'])).err).toBe('');
    await storeImport(cluster, { name: 'web02' });
    expect((await run(['get'])).err).toContain('ControllerMissing: nobody acts on imports');
  });

  test('follows with -w until all are over, and the worst end decides the exit code', async () => {
    const web = await storeImport(cluster, { name: 'web01', progress: copying });
    const db = await storeImport(cluster, { name: 'web02' });
    const running = run(['get', '-w']);
    await settle();
    await setProgress(cluster, web, { phase: 'Finished' }, { importedVirtualMachineName: 'web' });
    await settle();
    await setProgress(cluster, db, blocked);
    const { exitCode, out, err } = await running;
    expect(exitCode).toBe(ExitCode.blocked);
    expect(err).toContain('web01: Finished');
    expect(err).toContain('web02: Stalled, ImportFieldInvalid');
    expect(out).toMatch(/web01 +Finished[\s\S]*web02 +Stalled/);
  });

  test('one that is deleted while it is followed is no success', async () => {
    const web = await storeImport(cluster, { progress: copying });
    const running = run(['get', 'web01', '-w']);
    await settle();
    await cluster.delete(virtualMachineImportKind, refOf(web));
    const { exitCode, err } = await running;
    expect(exitCode).toBe(ExitCode.problem);
    expect(err).toContain('deleted');
  });

  test('a lost connection is told while it is followed', async () => {
    const web = await storeImport(cluster, { progress: copying });
    cluster.failNext({ verb: 'watch' }, new ProblemError('ClusterUnreachable', 'https://k8s.example:6443 is away'));
    const running = run(['get', '-w']);
    await settle();
    await clock.advance(5_000);
    await setProgress(cluster, web, { phase: 'Finished' });
    expect((await running).err).toContain('https://k8s.example:6443 is away; looking again in');
  });

  test('Ctrl-C while following changes nothing, and says so', async () => {
    await storeImport(cluster, { progress: copying });
    const stop = new AbortController();
    const running = run(['get', '-w'], { signal: stop.signal });
    await settle();
    stop.abort(new ProblemError('Interrupted', 'stopped by Ctrl-C'));
    expect(await running).toMatchObject({ exitCode: ExitCode.interrupted, left: 0 });
    expect((await running).err).toContain('Stopped; nothing was changed.');
  });
});

describe('describe', () => {
  async function storeAll(): Promise<StoredVirtualMachineImport> {
    await store(cluster, ovaSourceKind, aSource({ status: { status: 'clusterReady' } }));
    const stored = await storeImport(cluster, {
      spec: { storageClass: 'fast' },
      status: {
        importStatus: 'sourceReady',
        importedVirtualMachineName: 'web01',
        importConditions: [
          {
            type: 'PreflightPassed',
            status: 'True',
            reason: 'NothingInTheWay',
            lastTransitionTime: '2026-11-01T09:50:00Z',
          },
        ],
      },
      progress: {
        ...copying,
        startedAt: '2026-11-01T09:49:00Z',
        attempt: 2,
        findings: [
          { severity: 'warning', code: 'GuestMayNotBoot', message: 'web01 may not boot', remedy: 'Compare the bus.' },
        ],
        disks: [
          {
            index: 0,
            name: 'Hard disk 1',
            phase: 'Retrying',
            doneBytes: 1024 ** 3,
            totalBytes: 2 * 1024 ** 3,
            virtualSizeBytes: 4 * 1024 ** 3,
            claimName: 'web01-disk-0',
            node: 'node3',
            reason: 'SourceClosedEarly',
            message: 'the server closed the connection at byte 1073741824',
          },
        ],
      },
    });
    const { uid } = stored.metadata;
    await store(cluster, jobKind, aJob('airlift-x-0-2', madeBy(uid, 0, 2), { active: 1 }));
    const facts = { spec: { nodeName: 'node3' }, status: { phase: 'Running' as const } };
    await store(cluster, podKind, aPod('airlift-x-0-2-abcde', madeBy(uid, 0, 2), facts));
    return stored;
  }

  test('shows all there is about an import', async () => {
    await storeAll();
    const { exitCode, out, err } = await run(['describe', 'web01']);
    expect(exitCode).toBe(ExitCode.ok);
    expect(err).toBe('');
    expect(out).toMatchInlineSnapshot(`
      "web01 in namespace vms
        phase    Transferring, 42%, 4 GiB of 10 GiB, 120 MiB/s, 51 s left
        reason   TransferRunning
        source   OvaSource vms/files: clusterReady, https://files.example/web01.ova
        target   volume, class fast
        machine  web01
        time     begun 11m ago, attempt 2
        status   sourceReady

      Findings
      warning  GuestMayNotBoot: web01 may not boot
               -> Compare the bus.

      Disks
        #  NAME         PHASE     DONE            SIZE   VOLUME        NODE
        0  Hard disk 1  Retrying  1 GiB of 2 GiB  4 GiB  web01-disk-0  node3
        disk 0  SourceClosedEarly: the server closed the connection at byte 1073741824

      Conditions
        TYPE             STATUS  SINCE  WHY
        PreflightPassed  True    10m    NothingInTheWay

      Objects
        KIND  NAME                 STATE
        Job   airlift-x-0-2        active
        Pod   airlift-x-0-2-abcde  Running on node3
      "
    `);
  });

  test('shows findings with their own remedies, also of a controller of another version, and the next step', async () => {
    await storeImport(cluster, { progress: blocked });
    const { out } = await run(['describe', 'import', 'web01']);
    expect(out).toMatchInlineSnapshot(`
      "web01 in namespace vms
        phase      Stalled
        reason     ImportFieldInvalid: spec.networkMapping[0]: "a/b/c" is neither "name" nor "namespace/name"
        next step  Correct the field that is named.
        source     OvaSource vms/files, which is not there
        target     volume

      Findings
      blocker  ImportFieldInvalid: spec.networkMapping[0]: "a/b/c" is neither "name" nor "namespace/name"
               -> Correct the field that is named.
      warning  OfAnotherVersion: of a controller to come
               -> Wait.
      note     HardwareDropped: the floppy is left out
      "
    `);
  });

  test('as JSON it has the object itself beside it', async () => {
    const stored = await storeAll();
    const { out } = await run(['describe', 'web01', '-o', 'json']);
    expect(JSON.parse(out)).toMatchObject({
      summary: { name: 'web01', phase: 'Transferring' },
      source: { status: 'clusterReady' },
      objects: [{ kind: 'Job' }, { kind: 'Pod', state: 'Running on node3' }],
      notSeen: [],
      object: { metadata: { uid: stored.metadata.uid } },
    });
  });

  test('what may not be looked at is told, names the right, and ends with 5', async () => {
    await storeAll();
    cluster.failNext({ verb: 'list', kind: 'Pod' }, forbidden('this user may not list pods in namespace vms'));
    const { exitCode, out, err } = await run(['describe', 'web01']);
    expect(exitCode).toBe(ExitCode.unknown);
    expect(out).toContain('web01 in namespace vms');
    expect(err).toContain('this user may not list pods in namespace vms');
  });

  test('follows with -w until it is over, then describes it', async () => {
    const stored = await storeAll();
    const running = run(['describe', 'web01', '-w']);
    await settle();
    await setProgress(cluster, stored, { phase: 'Finished', finishedAt: '2026-11-01T09:59:00Z' });
    const { out } = await running;
    expect(out).toContain('phase    Finished');
    expect(out).toContain('done 60s ago');
  });

  test('shows a source', async () => {
    const check = {
      time: '2026-11-01T09:58:00Z',
      reason: 'SecretMissing',
      message: 'there is no Secret',
      nextStep: 'Create it.',
    };
    await store(cluster, ovaSourceKind, aSource({ status: { status: 'clusterNotReady', check } }));
    const { out } = await run(['describe', 'source', 'files']);
    expect(out).toMatchInlineSnapshot(`
      "OvaSource files in namespace vms
        address    https://files.example/web01.ova
        status     clusterNotReady
        reason     SecretMissing: there is no Secret
        next step  Create it.
        looked at  2m ago
        age        0s
      "
    `);
  });
});

describe('apply', () => {
  const manifest = `
apiVersion: v1
kind: Secret
metadata: {name: files-login}
stringData: {password: secret}
---
apiVersion: ${API}
kind: OvaSource
metadata: {name: files}
spec: {url: https://files.example/web01.ova}
---
apiVersion: ${API}
kind: VirtualMachineImport
metadata: {name: web01}
spec: {virtualMachineName: web01}
`;
  const files = { 'web.yaml': manifest };

  test('writes a Secret, a source and an import, and says what became of each', async () => {
    const { exitCode, out } = await run(['apply', '-f', 'web.yaml'], { files });
    expect(exitCode).toBe(ExitCode.ok);
    expect(out).toBe(
      'created  Secret vms/files-login\ncreated  OvaSource vms/files\ncreated  VirtualMachineImport vms/web01\n',
    );
    expect((await run(['apply', '-f', 'web.yaml'], { files })).out).toContain('unchanged  OvaSource vms/files');
    expect(await get('web01')).toBeDefined();
  });

  test('reads standard input, several files, and says nothing of what a Secret holds', async () => {
    const [secret = '', ...rest] = manifest.split('---');
    const { exitCode, out, err } = await run(['apply', '-f', '-', '-f', 'rest.yaml', '-o', 'json', '-n', 'other'], {
      input: secret,
      files: { 'rest.yaml': rest.join('---') },
    });
    expect(exitCode).toBe(ExitCode.ok);
    expect(JSON.parse(out).objects.map(({ namespace }: { namespace: string }) => namespace)).toEqual([
      'other',
      'other',
      'other',
    ]);
    expect(out + err).not.toContain('secret"');
  });

  test('of a manifest that cannot be read nothing is applied, of no file', async () => {
    const broken = `${manifest}---\nkind: Deployment\napiVersion: apps/v1\nmetadata: {name: web}\n`;
    const { exitCode, err } = await run(['apply', '-f', 'web.yaml', '-f', 'broken.yaml'], {
      files: { ...files, 'broken.yaml': broken },
    });
    expect(exitCode).toBe(ExitCode.problem);
    expect(err).toContain('ManifestUnreadable');
    expect(err).toContain('broken.yaml, document 4 (Deployment web)');
    expect(await get('web01')).toBeUndefined();
  });

  test('one that is refused names the missing verb and does not keep the others out', async () => {
    cluster.failNext({ verb: 'apply', kind: 'Secret' }, forbidden('this user may not patch secrets in namespace vms'));
    const { exitCode, out, err } = await run(['apply', '-f', 'web.yaml'], { files });
    expect(exitCode).toBe(ExitCode.problem);
    expect(err).toContain('may not patch secrets in namespace vms');
    expect(out).toContain('failed   Secret vms/files-login');
    expect(out).toContain('created  VirtualMachineImport vms/web01');
  });

  test('follows its imports with -w', async () => {
    const running = run(['apply', '-f', 'web.yaml', '-w'], { files });
    await settle();
    const stored = await get('web01');
    await setProgress(cluster, stored as StoredVirtualMachineImport, { phase: 'Failed', reason: 'TransferFailed' });
    expect((await running).exitCode).toBe(ExitCode.problem);
  });

  test.each([
    [['apply'], 'apply needs --filename'],
    [['apply', '-f', 'x.yaml', '-n', 'A B'], 'no name of a namespace'],
  ])('%j is wrong usage', async (argv, part) => {
    const { exitCode, err } = await run(argv, { files: { 'x.yaml': manifest } });
    expect(exitCode).toBe(ExitCode.usage);
    expect(err).toContain(part);
  });

  test('a file that is not there is a problem', async () => {
    expect(await run(['apply', '-f', 'nowhere.yaml'])).toMatchObject({ exitCode: ExitCode.problem });
  });
});

describe('retry, suspend and resume', () => {
  test('retry writes a token that was never there, and can be followed', async () => {
    await storeImport(cluster, { progress: { phase: 'Failed', retry: 'before' }, spec: { retry: 'before' } });
    const running = run(['retry', 'web01', '-w']);
    await settle();
    const stored = (await get('web01')) as StoredVirtualMachineImport;
    expect(stored.spec?.retry).toBe('2026-11-01T10:00:00.000Z');
    await setProgress(cluster, stored, { phase: 'Finished', retry: stored.spec?.retry });
    const { exitCode, err } = await running;
    expect(exitCode).toBe(ExitCode.ok);
    expect(err).toContain('web01 begins anew');
  });

  test('suspend and resume set one word', async () => {
    await storeImport(cluster, { progress: copying });
    expect(await run(['suspend', 'web01'])).toMatchObject({ exitCode: ExitCode.ok, err: 'web01 stops where it is\n' });
    expect((await get('web01'))?.spec?.suspend).toBe(true);
    expect(await run(['resume', 'web01'])).toMatchObject({ exitCode: ExitCode.ok, err: 'web01 goes on\n' });
    expect((await get('web01'))?.spec?.suspend).toBe(false);
  });

  test('one that cannot be changed does not keep the others from it, and is told with its remedy', async () => {
    await storeImport(cluster, { name: 'web01', progress: { phase: 'Finished' } });
    await storeImport(cluster, { name: 'web02', progress: { phase: 'Failed' } });
    const { exitCode, err } = await run(['retry', 'web01', 'web02', 'web99']);
    expect(exitCode).toBe(ExitCode.problem);
    expect(err).toContain('web02 begins anew');
    expect(err).toMatch(/web01\nerror ImportFinished[\s\S]*web99\nerror ClusterObjectMissing/);
    expect((await get('web02'))?.spec?.retry).toBeDefined();
  });

  test('without a controller it is said that nothing will happen', async () => {
    await loseController();
    await storeImport(cluster, { progress: { phase: 'Failed' } });
    expect((await run(['retry', 'web01'])).err).toContain('ControllerMissing');
  });

  test('a missing right names its verb', async () => {
    await storeImport(cluster, { progress: copying });
    const text = 'this user may not patch virtualmachineimports.migration.harvesterhci.io in namespace vms';
    cluster.failNext({ verb: 'patch' }, forbidden(text));
    const { exitCode, err } = await run(['suspend', 'web01']);
    expect(exitCode).toBe(ExitCode.problem);
    expect(err.replaceAll(/\s+/g, ' ')).toContain(text);
  });
});

describe('delete and cancel', () => {
  async function storeWithObjects(progress: Parameters<typeof setProgress>[2] = copying) {
    const stored = await storeImport(cluster, { progress, status: { importedVirtualMachineName: 'web' } });
    const { uid } = stored.metadata;
    await store(cluster, jobKind, aJob('job', madeBy(uid, 0, 1), { active: 1 }));
    await store(cluster, persistentVolumeClaimKind, aClaim('web-disk-0', madeBy(uid, 0)));
    return stored;
  }

  test('shows what goes, asks, deletes and waits until it is gone', async () => {
    await storeWithObjects();
    const { exitCode, err, questions } = await run(['delete', 'web01'], { answers: ['y'] });
    expect(exitCode).toBe(ExitCode.ok);
    expect(questions).toEqual(['Delete web01? [y/N] ']);
    expect(err).toMatchInlineSnapshot(`
      "web01
        goes with it
          Job                    job         active
          PersistentVolumeClaim  web-disk-0  Pending
      "
    `);
    expect(await get('web01')).toBeUndefined();
  });

  test('shows what stays: a machine that was made, and its volumes', async () => {
    const { uid } = (await storeWithObjects({ phase: 'Finished' })).metadata;
    await store(cluster, virtualMachineKind, aVirtualMachine('web', madeBy(uid), ['web-disk-0']));
    const { err } = await run(['delete', 'import', 'web01', '--yes']);
    expect(err).toMatch(
      /goes with it\n +Job[\s\S]*stays\n +PersistentVolumeClaim +web-disk-0[\s\S]*VirtualMachine +web/,
    );
  });

  test.each(['', 'n', 'nope'])('the answer %j deletes nothing', async (answer) => {
    await storeWithObjects();
    const { exitCode, err } = await run(['delete', 'web01'], { answers: [answer] });
    expect(exitCode).toBe(ExitCode.blocked);
    expect(err).toContain('Nothing was deleted.');
    expect(await get('web01')).toBeDefined();
  });

  test('where nobody can be asked it takes --yes', async () => {
    await storeWithObjects();
    const { exitCode, err } = await run(['delete', 'web01']);
    expect(exitCode).toBe(ExitCode.usage);
    expect(err).toContain('add --yes');
    expect(await get('web01')).toBeDefined();
  });

  test('of several, of which one is not there, none is deleted', async () => {
    await storeWithObjects();
    const { exitCode } = await run(['delete', 'web01', 'web99', '--yes']);
    expect(exitCode).toBe(ExitCode.problem);
    expect(await get('web01')).toBeDefined();
  });

  test('does not wait for a controller that is not there', async () => {
    await loseController();
    const stored = await storeWithObjects();
    await cluster.patch(virtualMachineImportKind, refOf(stored), { metadata: { finalizers: ['example.com/hold'] } });
    const { exitCode, err } = await run(['delete', 'web01', '--yes']);
    expect(exitCode).toBe(ExitCode.ok);
    expect(err).toContain('ControllerMissing');
    expect(err).toContain('as soon as a controller removes it');
    expect((await get('web01'))?.metadata.deletionTimestamp).toBeDefined();
  });

  test('waits for what still writes, and Ctrl-C says that it goes on without us', async () => {
    const stored = await storeWithObjects();
    await cluster.patch(virtualMachineImportKind, refOf(stored), { metadata: { finalizers: ['example.com/hold'] } });
    const stop = new AbortController();
    const running = run(['delete', 'web01', '--yes'], { signal: stop.signal });
    await settle();
    await settle();
    stop.abort(new ProblemError('Interrupted', 'stopped by Ctrl-C'));
    const { exitCode, err } = await running;
    expect(exitCode).toBe(ExitCode.interrupted);
    expect(err).toContain('Stopped; what was deleted so far is removed by the controller');
  });

  test('cancel leaves nothing, or refuses', async () => {
    const { uid } = (await storeWithObjects()).metadata;
    const machine = await store(cluster, virtualMachineKind, aVirtualMachine('web', madeBy(uid), ['web-disk-0']));
    const refused = await run(['cancel', 'web01', '--yes']);
    expect(refused.exitCode).toBe(ExitCode.problem);
    expect(refused.err).toContain('has made the machine web already');
    await cluster.delete(virtualMachineKind, refOf(machine));
    expect(await run(['cancel', 'web01'], { answers: ['y'] })).toMatchObject({
      exitCode: ExitCode.ok,
      questions: ['Cancel web01 and remove what is written? [y/N] '],
    });
    expect(await get('web01')).toBeUndefined();
  });

  test('cancel refuses what is done', async () => {
    await storeWithObjects({ phase: 'Finished' });
    const { exitCode, err } = await run(['cancel', 'web01', '--yes']);
    expect(exitCode).toBe(ExitCode.problem);
    expect(err).toContain('ImportFinished');
  });

  test('a source goes alone, and names the imports that still read it', async () => {
    await store(cluster, ovaSourceKind, aSource());
    await storeImport(cluster, { name: 'open' });
    await storeImport(cluster, { name: 'over', progress: { phase: 'Finished' } });
    const { exitCode, err } = await run(['delete', 'source', 'files'], { answers: ['y'] });
    expect(exitCode).toBe(ExitCode.ok);
    expect(err).toBe('OvaSource files, of which these imports still read: open\n');
    expect(await cluster.get(ovaSourceKind, { namespace: NAMESPACE, name: 'files' })).toBeUndefined();
  });
});

describe('logs', () => {
  async function* printed({ name }: { readonly name: string }) {
    yield `${name} says \u001b[31mred`;
    yield `${name} ends`;
  }

  test('prints what workers printed, without what drives a terminal', async () => {
    const { uid } = (await storeImport(cluster)).metadata;
    await store(cluster, podKind, aPod('worker-1', madeBy(uid, 1, 1), { status: { phase: 'Succeeded' } }));
    await store(cluster, podKind, aPod('worker-0', madeBy(uid, 0, 2), { status: { phase: 'Running' } }));
    await store(cluster, podKind, aPod('worker-2', madeBy(uid, 2, 1), { status: { phase: 'Pending' } }));
    const { exitCode, out, err } = await run(['logs', 'web01', '--prefix'], { readPodLog: printed });
    expect(exitCode).toBe(ExitCode.ok);
    expect(out.split('\n')).toEqual([
      'disk 0, transfer 2: worker-0 says \\u{1b}[31mred',
      'disk 0, transfer 2: worker-0 ends',
      'disk 1, transfer 1: worker-1 says \\u{1b}[31mred',
      'disk 1, transfer 1: worker-1 ends',
      '',
    ]);
    expect(err).toContain('worker-2 has not begun');
    expect((await run(['logs', 'web01', '--disk', '1'], { readPodLog: printed })).out).not.toContain('worker-0');
  });

  test('follows until the import is over', async () => {
    const stored = await storeImport(cluster, { progress: copying });
    await store(
      cluster,
      podKind,
      aPod('worker-0', madeBy(stored.metadata.uid, 0, 1), { status: { phase: 'Running' } }),
    );
    const running = run(['logs', 'web01', '-f'], { readPodLog: printed });
    await settle();
    await setProgress(cluster, stored, { phase: 'Finished' });
    expect(await running).toMatchObject({ exitCode: ExitCode.ok, out: expect.stringContaining('worker-0 ends') });
  });

  test('says so where nothing was printed', async () => {
    await storeImport(cluster);
    expect((await run(['logs', 'web01'])).err).toBe('no worker has printed anything that is still there\n');
  });

  test('a log that may not be read names the right, also while it is followed', async () => {
    const { uid } = (await storeImport(cluster)).metadata;
    await store(cluster, podKind, aPod('worker-0', madeBy(uid, 0, 1), { status: { phase: 'Running' } }));
    const readPodLog = () => {
      throw forbidden('this user may not get pods/log in namespace vms');
    };
    for (const argv of [
      ['logs', 'web01'],
      ['logs', 'web01', '-f'],
    ]) {
      const { exitCode, err } = await run(argv, { readPodLog });
      expect(exitCode).toBe(ExitCode.problem);
      expect(err).toContain('may not get pods/log');
    }
  });

  test('a disk is a number', async () => {
    expect(await run(['logs', 'web01', '--disk', 'first'])).toMatchObject({ exitCode: ExitCode.usage });
  });
});

describe('orphans', () => {
  beforeEach(async () => {
    await store(cluster, jobKind, aJob('job-left', madeBy('gone', 0, 1)));
    await store(cluster, persistentVolumeClaimKind, aClaim('disk-left', madeBy('gone', 0)));
    await cluster.create(configMapKind, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'plan-left', namespace: 'other', labels: madeBy('gone') },
    });
  });

  test('list shows what was left behind, in a namespace or in all', async () => {
    const { exitCode, out } = await run(['orphans', 'list']);
    expect(exitCode).toBe(ExitCode.ok);
    expect(out).toContain('disk-left');
    expect(out).not.toContain('plan-left');
    expect(JSON.parse((await run(['orphans', 'list', '-A', '-o', 'json'])).out).orphans).toHaveLength(3);
  });

  test('clean keeps what holds data unless told, and asks', async () => {
    const { exitCode, out, err, questions } = await run(['orphans', 'clean', '-A'], { answers: ['y'] });
    expect(exitCode).toBe(ExitCode.ok);
    expect(questions).toEqual(['Remove these 2? [y/N] ']);
    expect(err).toContain('1 volumes or images hold data and stay; --volumes removes them too');
    expect(out).toBe('2 of 2 removed\n');
    expect(JSON.parse((await run(['orphans', 'list', '-A', '-o', 'json'])).out).orphans).toMatchObject([
      { name: 'disk-left' },
    ]);
    const volumes = await run(['orphans', 'clean', '--volumes', '--yes', '-o', 'json']);
    expect(JSON.parse(volumes.out).removed).toMatchObject([{ name: 'disk-left', holdsData: true }]);
    expect(await run(['orphans', 'list', '-A'])).toMatchObject({ out: '', err: 'nothing was left behind\n' });
  });

  test('clean removes nothing when the answer is no', async () => {
    const { exitCode } = await run(['orphans', 'clean'], { answers: ['n'] });
    expect(exitCode).toBe(ExitCode.blocked);
    expect(await cluster.get(jobKind, { namespace: NAMESPACE, name: 'job-left' })).toBeDefined();
  });

  test('a refusal is told, and the rest is removed', async () => {
    cluster.failNext(
      { verb: 'delete', kind: 'Job' },
      forbidden('this user may not delete jobs.batch in namespace vms'),
    );
    const { exitCode, err, out } = await run(['orphans', 'clean', '-A', '--yes']);
    expect(exitCode).toBe(ExitCode.problem);
    expect(err).toContain('may not delete jobs.batch');
    expect(out).toBe('1 of 2 removed\n');
  });

  test('what could not be looked at ends with 5', async () => {
    cluster.failNext({ verb: 'list', kind: 'VirtualMachine' }, forbidden('this user may not list virtualmachines'));
    const { exitCode, out, err } = await run(['orphans', 'list']);
    expect(exitCode).toBe(ExitCode.unknown);
    expect(out).toContain('job-left');
    expect(out).not.toContain('disk-left');
    expect(err).toContain('may not list virtualmachines');
  });

  test('another word is wrong usage', async () => {
    expect((await run(['orphans', 'burn'])).err).toContain('there are list and clean');
  });
});

describe('which cluster', () => {
  test('flags are handed on', async () => {
    const { opened } = await run(['get', '--context', 'prod', '--kubeconfig', '/etc/kube', '-n', 'vms']);
    expect(opened).toEqual([{ context: 'prod', kubeconfig: '/etc/kube', namespace: 'vms' }]);
  });

  test('what should be known of the connection is told', async () => {
    const message = 'context test does not check the identity of https://k8s.example';
    const { err } = await run(['get'], { remarks: [{ severity: 'warning', code: 'ClusterTlsUnverified', message }] });
    expect(err).toContain('ClusterTlsUnverified: context test does not check');
  });

  test('without a kubeconfig it is said how to name one', async () => {
    const openError = new ProblemError('KubeconfigMissing', 'there is no /root/.kube/config');
    const { exitCode, err } = await run(['get'], { openError });
    expect(exitCode).toBe(ExitCode.problem);
    expect(err).toContain('KUBECONFIG');
  });

  test.each([
    [['get', '-A', '-n', 'vms'], '--all-namespaces takes all'],
    [['get', '-A', 'web01'], 'leave out --all-namespaces'],
    [['get', 'sources', '-w'], 'only imports can be followed'],
    [['describe'], 'describe needs the name of an import'],
    [['describe', 'a', 'b'], 'describe takes one name'],
    [['describe', 'source', 'a', '-w'], 'only imports can be followed'],
    [['delete', 'source'], 'delete needs the name of a source'],
    [['retry', 'source', 'files'], 'retry is for imports'],
    [['cancel', 'source', 'files'], 'cancel is for imports'],
    [['retry'], "missing required argument 'import'"],
  ])('%j is wrong usage', async (argv, part) => {
    const { exitCode, err } = await run(argv);
    expect(exitCode).toBe(ExitCode.usage);
    expect(err).toContain(part);
  });

  test('a Secret is never printed', async () => {
    await store(cluster, secretKind, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'login', namespace: NAMESPACE, labels: madeBy('gone') },
      data: { password: 'c2VjcmV0' },
    });
    const { out, err } = await run(['orphans', 'list', '-o', 'yaml']);
    expect(out).toContain('login');
    expect(out + err).not.toContain('c2VjcmV0');
  });
});
