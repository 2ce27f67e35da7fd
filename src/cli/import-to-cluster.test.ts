import { beforeEach, describe, expect, test } from 'vitest';
import { leaseKind, secretKind } from '../api/core-kinds.ts';
import { CONTROLLER_LEASE } from '../api/literals.ts';
import { ovaSourceKind } from '../api/ova-source.ts';
import { type StoredVirtualMachineImport, virtualMachineImportKind } from '../api/virtual-machine-import.ts';
import type { ImportPlan } from '../app/import-plan.ts';
import type { OpenSource } from '../app/platforms.ts';
import type { Finding } from '../domain/finding.ts';
import { mapMachine } from '../domain/hardware-mapping.ts';
import { toKubernetesName } from '../domain/kubernetes-name.ts';
import type { Machine } from '../domain/machine.ts';
import { ProblemError } from '../domain/problems.ts';
import { aClusterFor, NAMESPACE, setProgress } from '../testing/cluster-samples.ts';
import { aMachine, someOptions } from '../testing/kubevirt/sample-machines.ts';
import { ManualClock, settle } from '../testing/manual-clock.ts';
import type { MemoryCluster } from '../testing/memory-cluster.ts';
import { type CliRun, type CliWorld, runClusterCli } from '../testing/run-cluster-cli.ts';
import { ExitCode } from './exit-code.ts';
import type { OpenUpload, Services, UploadOptions } from './services.ts';

const NOW = Date.parse('2026-11-01T10:00:00Z');
const URL_OF_IT = 'https://files.example/web01.ova';
let clock: ManualClock;
let cluster: MemoryCluster;
beforeEach(async () => {
  clock = new ManualClock();
  clock.ms = NOW;
  cluster = aClusterFor(clock);
  await cluster.create(leaseKind, {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: CONTROLLER_LEASE, namespace: 'harvester-system' },
    spec: { holderIdentity: 'controller-0', renewTime: new Date(NOW).toISOString() },
  });
});

interface World extends Partial<CliWorld> {
  readonly machines?: readonly Machine[];
  readonly findings?: readonly Finding[];
  readonly uploadError?: Error;
  readonly password?: string;
}

class FakeUpload {
  readonly requests: UploadOptions[] = [];
  readonly done: string[] = [];
  readonly lost = Promise.withResolvers<never>();
}
let upload: FakeUpload;
beforeEach(() => {
  upload = new FakeUpload();
});

function run(
  argv: readonly string[],
  { machines = [aMachine()], findings = [], ...world }: World = {},
): Promise<CliRun> {
  const source = {
    kind: 'ova',
    location: argv[0] ?? '',
    async *listMachines() {
      for (const { id, name } of machines) yield { id, name, diskCount: 1, virtualSizeBytes: 0 };
    },
    [Symbol.asyncDispose]: async () => {},
  } as Partial<OpenSource> as OpenSource;
  const services: Partial<Services> = {
    passwordFromEnvironment: world.password,
    openSource: async () => source,
    async planImport(_source, target, options): Promise<ImportPlan> {
      expect(target).toBeUndefined();
      const machine = machines[0] as Machine;
      const targetName = options.targetName ?? toKubernetesName(machine.name);
      return {
        source: (argv[0] ?? '').replace(/\/\/[^/]*@/, '//'),
        target: undefined,
        machine,
        targetName,
        mapped: mapMachine(machine, someOptions({ targetName })),
        disks: [],
        findings,
        dataBytes: 0,
        virtualSizeBytes: 0,
      };
    },
    locateFile: async (location) => ({ folder: '/srv', fileName: location, origin: `box:/srv/${location}` }),
    async openUpload(_open, options): Promise<OpenUpload> {
      upload.requests.push(options);
      if (world.uploadError !== undefined) throw world.uploadError;
      return {
        source: { url: 'https://10.0.0.7:8445/token/web01.ova', secret: { 'ca.crt': 'PEM' } },
        lost: upload.lost.promise,
        adopt: async ({ metadata }) => void upload.done.push(`adopted by ${metadata.name}`),
        remove: async () => void upload.done.push('removed'),
        [Symbol.asyncDispose]: async () => void upload.done.push('closed'),
      };
    },
  };
  return runClusterCli(['import', ...argv], { cluster, clock, ...world, services });
}

const get = (name = 'web01') => cluster.get(virtualMachineImportKind, { namespace: NAMESPACE, name });
const to = (...argv: string[]) => [URL_OF_IT, '--to', 'kubevirt:', ...argv];
async function end(progress: Parameters<typeof setProgress>[2]): Promise<void> {
  await setProgress(cluster, (await get()) as StoredVirtualMachineImport, progress, {
    importedVirtualMachineName: 'web01',
  });
}

describe('import of an address into a cluster', () => {
  test('makes source and import, follows them, and says how it ended', async () => {
    const running = run(to());
    await settle();
    expect((await get())?.spec).toMatchObject({
      virtualMachineName: 'web01',
      targetName: 'web01',
      transfer: { verify: 'readback' },
      sourceCluster: { kind: 'OvaSource', name: 'web01', namespace: NAMESPACE },
    });
    await end({ phase: 'Finished' });
    const { exitCode, out, err, left } = await running;
    expect(exitCode).toBe(ExitCode.ok);
    expect(out).toBe('web01: imported, machine web01\n');
    expect(err).toContain('web01 in namespace vms begins; `airlift describe web01 -n vms` shows all of it');
    expect(left).toBe(0);
    expect(await cluster.get(ovaSourceKind, { namespace: NAMESPACE, name: 'web01' })).toBeDefined();
  });

  test.each([
    [
      { phase: 'Failed' as const, reason: 'TransferFailed', message: 'the worker died', nextStep: 'Look at it.' },
      ExitCode.problem,
    ],
    [
      {
        phase: 'Stalled' as const,
        reason: 'ImportFieldInvalid',
        message: 'wrong',
        nextStep: 'Correct it.',
        findings: [{ severity: 'blocker' as const, code: 'ImportFieldInvalid', message: 'wrong' }],
      },
      ExitCode.blocked,
    ],
  ])('an end in %o has its exit code and next step', async (progress, expected) => {
    const running = run(to());
    await settle();
    await end(progress);
    const { exitCode, err } = await running;
    expect(exitCode).toBe(expected);
    expect(err).toContain(`-> ${progress.nextStep}`);
  });

  test('what is asked for becomes the spec', async () => {
    const flags = [
      '--name',
      'web',
      '--storage-class',
      'fast',
      '--disk-bus',
      'sata',
      '--network',
      'VM Network=vms/vlan10',
    ];
    await run([...to(...flags), '--verify', 'none', '--max-rate', '150MB', '--leave-off', '--detach']);
    expect((await get('web'))?.spec).toMatchObject({
      targetName: 'web',
      run: false,
      storageClass: 'fast',
      disks: [{ index: 0, bus: 'sata' }],
      networkMapping: [{ sourceNetwork: 'VM Network', destinationNetwork: 'vms/vlan10' }],
      transfer: { verify: 'none', maxRate: '150MB' },
    });
  });

  test('an account goes into a Secret, wherever it was given', async () => {
    const { out, err } = await run(['https://me:hidden@files.example/web01.ova', '--to', 'kubevirt:', '--detach']);
    const secret = await cluster.get(secretKind, { namespace: NAMESPACE, name: 'web01-source' });
    expect(secret).toBeDefined();
    const seen = JSON.stringify([
      await get(),
      await cluster.get(ovaSourceKind, { namespace: NAMESPACE, name: 'web01' }),
      out,
      err,
    ]);
    expect(seen).toContain('https://files.example/web01.ova');
    expect(seen).not.toContain('hidden');
  });

  test('the target may name context, namespace and machine', async () => {
    const { opened } = await run([URL_OF_IT, '--to', 'harvester:prod/other/web', '--detach']);
    expect(opened).toEqual([{ context: 'prod', kubeconfig: undefined, namespace: 'other' }]);
    expect(await cluster.get(virtualMachineImportKind, { namespace: 'other', name: 'web' })).toBeDefined();
  });

  test('without a controller nothing is written', async () => {
    await cluster.delete(leaseKind, { namespace: 'harvester-system', name: CONTROLLER_LEASE });
    const { exitCode, err } = await run(to());
    expect(exitCode).toBe(ExitCode.problem);
    expect(err).toContain('error ControllerMissing');
    expect(await get()).toBeUndefined();
  });

  test('a blocker that is known here stops it before anything is written', async () => {
    const findings: Finding[] = [{ severity: 'blocker', code: 'GuestMayNotBoot', message: 'web01 will not boot' }];
    const { exitCode } = await run(to(), { findings });
    expect(exitCode).toBe(ExitCode.blocked);
    expect(await get()).toBeUndefined();
  });

  test('the same command again goes on, and after the end says so', async () => {
    await run(to('--detach'));
    const again = await run(to('--detach', '-o', 'json'));
    expect(again.err).toContain('goes on');
    expect(JSON.parse(again.out).imports).toMatchObject([{ name: 'web01', verdict: 'open' }]);
    await end({ phase: 'Finished' });
    const after = await run(to());
    expect(after).toMatchObject({ exitCode: ExitCode.ok, out: 'web01: imported, machine web01\n' });
    expect(after.err).toContain('was finished by an earlier run');
  });

  test('--restart begins it anew', async () => {
    await run(to('--detach'));
    await run(to('--detach', '--restart'));
    expect((await get())?.spec?.retry).toBe('2026-11-01T10:00:00.000Z');
  });

  test('an appliance of several machines is refused, with another way', async () => {
    const { exitCode, err } = await run(to(), { machines: [aMachine(), aMachine({ id: 'vm-2', name: 'db' })] });
    expect(exitCode).toBe(ExitCode.problem);
    expect(err).toContain('holds web01 and db');
  });

  test('Ctrl-C leaves it to the cluster and says how to go on', async () => {
    const stop = new AbortController();
    const running = run(to(), { signal: stop.signal });
    await settle();
    stop.abort(new ProblemError('Interrupted', 'stopped by Ctrl-C'));
    const { exitCode, err } = await running;
    expect(exitCode).toBe(ExitCode.interrupted);
    expect(err).toContain('the import goes on in the cluster');
    expect(err).toContain(`airlift import ${URL_OF_IT} --to kubevirt:`);
  });

  test.each([
    [to('--lanes', '4'), '--lanes is not for kubevirt:'],
    [to('--connections', '4'), '--connections is not for kubevirt:'],
    [to('--deployment', 'small'), '--deployment is not for kubevirt:'],
    [to('--signature-ca', 'ca.pem'), '--signature-ca is not for kubevirt:'],
    [to('--all'), 'one machine at a time'],
    [[URL_OF_IT, 'a', 'b', '--to', 'kubevirt:'], 'one machine at a time'],
    [to('--network', 'x=pod'), 'gets one on the Pod network by itself'],
    [[URL_OF_IT, '--to', 'kubevirt:a', '--namespace', 'b'], '--to names the namespace a'],
    [[URL_OF_IT, '--to', 'kubevirt:a/x', '--name', 'y'], '--to names the machine x'],
    [['web01.ova', '--to', 'kubevirt:', '--detach'], 'leave out --detach'],
    [[URL_OF_IT, '--to', 'dir:./out', '--detach'], 'are for kubevirt: targets'],
  ])('%j is wrong usage, and nothing is written', async (argv, part) => {
    const { exitCode, err } = await run(argv);
    expect(exitCode).toBe(ExitCode.usage);
    expect(err).toContain(part);
    expect(await get()).toBeUndefined();
  });
});

describe('import of a local file into a cluster', () => {
  const local = ['web01.ova', '--to', 'kubevirt:'];

  test('is read from here while it lasts; at the end nothing of that is left', async () => {
    const running = run(local);
    await settle();
    expect(upload.requests).toMatchObject([
      { file: { folder: '/srv', fileName: 'web01.ova' }, name: 'web01', namespace: NAMESPACE, diskFiles: ['d1.vmdk'] },
    ]);
    expect(upload.done).toEqual(['adopted by web01']);
    const ref = { namespace: NAMESPACE, name: 'web01' };
    expect((await cluster.get(ovaSourceKind, ref))?.spec?.url).toBe('https://10.0.0.7:8445/token/web01.ova');
    await end({ phase: 'Finished' });
    expect((await running).exitCode).toBe(ExitCode.ok);
    expect(upload.done).toEqual(['adopted by web01', 'removed', 'closed']);
    expect(await cluster.get(ovaSourceKind, ref)).toBeUndefined();
    expect(await cluster.get(secretKind, { namespace: NAMESPACE, name: 'web01-source' })).toBeUndefined();
    expect((await run(local)).err).toContain('was finished by an earlier run');
    expect(upload.requests).toHaveLength(1);
  });

  test('a failure removes the relay; its source stays with the import', async () => {
    const running = run(local);
    await settle();
    await end({ phase: 'Failed', reason: 'TransferFailed', message: 'x', nextStep: 'y' });
    expect((await running).exitCode).toBe(ExitCode.problem);
    expect(upload.done).toContain('removed');
    expect(await cluster.get(ovaSourceKind, { namespace: NAMESPACE, name: 'web01' })).toBeDefined();
  });

  test('Ctrl-C keeps the relay for the next run, and says that the cluster waits', async () => {
    const stop = new AbortController();
    const running = run(local, { signal: stop.signal });
    await settle();
    stop.abort(new ProblemError('Interrupted', 'stopped by Ctrl-C'));
    const { exitCode, err } = await running;
    expect(exitCode).toBe(ExitCode.interrupted);
    expect(upload.done).toEqual(['adopted by web01', 'closed']);
    expect(err).toContain('the cluster waits for the file');
  });

  test('when the cluster cannot read it any more, that is the end, with the command that continues', async () => {
    const running = run(local);
    await settle();
    upload.lost.reject(new ProblemError('ClusterForbidden', 'this user may not create pods/portforward'));
    const { exitCode, err } = await running;
    expect(exitCode).toBe(ExitCode.problem);
    expect(err).toContain('may not create pods/portforward');
    expect(upload.done).toContain('closed');
  });

  test('where the image is not known it is said how to name it', async () => {
    const { exitCode, err } = await run(local, { uploadError: new ProblemError('RelayImageUnknown', 'no Deployment') });
    expect(exitCode).toBe(ExitCode.problem);
    expect(err).toContain('--image');
    expect(await get()).toBeUndefined();
  });
});
