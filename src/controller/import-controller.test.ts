import { describe, expect, test } from 'vitest';
import { storageClassKind } from '../api/core-kinds.ts';
import { API_VERSION } from '../api/literals.ts';
import { ovaSourceKind } from '../api/ova-source.ts';
import { networkAttachmentDefinitionKind, virtualMachineKind } from '../api/platform-kinds.ts';
import { type StoredVirtualMachineImport, virtualMachineImportKind } from '../api/virtual-machine-import.ts';
import { isProblem, ProblemError } from '../domain/problems.ts';
import type { Log } from '../ports/log.ts';
import { ClusterMachinery, type WorkerEnd, type WorkerRun } from '../testing/import-journey/cluster-machinery.ts';
import { FakeOvaAdapter } from '../testing/import-journey/fake-ova-adapter.ts';
import { someResult } from '../testing/import-journey/import-journey.ts';
import { aMachine } from '../testing/kubevirt/sample-machines.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { MemoryCluster } from '../testing/memory-cluster.ts';
import { ImportController } from './import-controller.ts';
import { namesOf } from './machine-import/names.ts';

const NAMESPACE = 'vms';

class World implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly cluster: MemoryCluster;
  readonly errors: unknown[] = [];
  readonly writes = new Map<string, number>();
  readonly #machinery: ClusterMachinery;
  readonly #adapter = new FakeOvaAdapter(aMachine());
  #running: { readonly controller: ImportController; readonly stop: AbortController; readonly done: Promise<void> };

  constructor(work?: (run: WorkerRun, world: World) => Promise<WorkerEnd>) {
    this.clock.ms = Date.parse('2026-11-01T10:00:00Z');
    this.cluster = new MemoryCluster({
      clock: this.clock,
      kinds: [
        { kind: virtualMachineImportKind, hasStatus: true },
        { kind: ovaSourceKind, hasStatus: true },
        { kind: virtualMachineKind, hasStatus: true },
        { kind: networkAttachmentDefinitionKind },
      ],
    });
    this.cluster.onWrite(({ client, kind, verb, isChange }) => {
      if (!client.startsWith('controller') || !isChange) return;
      const key = `${verb} ${kind.kind}`;
      this.writes.set(key, (this.writes.get(key) ?? 0) + 1);
    });
    this.#machinery = new ClusterMachinery({
      cluster: this.cluster.connect('kubelet'),
      clock: this.clock,
      work: (run) => (work ?? finish)(run, this),
    });
    this.#running = this.#start();
  }

  get adapter(): FakeOvaAdapter {
    return this.#adapter;
  }

  get controller(): ImportController {
    return this.#running.controller;
  }

  async prepare(): Promise<void> {
    await this.cluster.create(storageClassKind, {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: 'fast', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    });
    const source = { apiVersion: API_VERSION, kind: 'OvaSource', metadata: { name: 'files', namespace: NAMESPACE } };
    await this.cluster.create(ovaSourceKind, source);
  }

  async createImports(count: number): Promise<void> {
    const sourceCluster = { apiVersion: API_VERSION, kind: 'OvaSource', name: 'files', namespace: NAMESPACE };
    for (let index = 0; index < count; index += 1) {
      const metadata = { name: `web-${index}`, namespace: NAMESPACE };
      const object = {
        apiVersion: API_VERSION,
        kind: 'VirtualMachineImport',
        metadata,
        spec: { sourceCluster, virtualMachineName: metadata.name },
      };
      await this.cluster.create(virtualMachineImportKind, object);
    }
  }

  /** Lets everything go on until all imports say so, at most for so many seconds of the clock. */
  async until(isReached: (phases: readonly string[]) => boolean, mostSeconds = 120): Promise<void> {
    for (let second = 0; second < mostSeconds; second += 1) {
      await this.clock.advance(1000);
      await this.#machinery.turn();
      if (isReached(await this.phases())) return;
    }
    throw new Error(`not there: ${[...new Set(await this.phases())].join()}; ${this.errors.map(String).join()}`);
  }

  async phases(): Promise<string[]> {
    const phases: string[] = [];
    for await (const { status } of this.cluster.list(virtualMachineImportKind))
      phases.push(status?.progress?.phase ?? '');
    return phases;
  }

  async restart(): Promise<void> {
    await this.#stop();
    this.#running = this.#start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
  }

  async #stop(): Promise<void> {
    this.#running.stop.abort(new Error('the test is over'));
    await this.#running.done;
  }

  #start() {
    const note = (message: string, fields?: unknown) => void this.errors.push(`${message} ${JSON.stringify(fields)}`);
    const log: Log = { info() {}, warn() {}, error: note };
    const controller = new ImportController({
      cluster: this.cluster.connect('controller'),
      clock: this.clock,
      random: () => 0.5,
      log,
      adapters: [this.#adapter],
      events: { record: () => {} },
      worker: { image: 'airlift:test', endpointUrl: 'https://endpoint.example', resources: {}, userId: 107 },
      limits: { total: 10, perHost: 8, perNode: 100 },
      airliftVersion: '1.2.3',
      endpointCa: () => 'CA',
    });
    const stop = new AbortController();
    return { controller, stop, done: controller.run({ signal: stop.signal }) };
  }
}

async function finish({ importUid, disk, epoch }: WorkerRun, { controller }: World): Promise<WorkerEnd> {
  await controller.desk.reportOutcome({ id: namesOf(importUid).transfer(disk), epoch }, { result: someResult });
  return { exitCode: 0 };
}
const areFinished = (phases: readonly string[]) => phases.every((each) => each === 'Finished');

describe('the controller of imports', () => {
  test('W7: brings many imports to their end at once, within the limits of transfers', async () => {
    let most = 0;
    const running = new Set<string>();
    await using world = new World(async (run, own) => {
      running.add(run.importUid);
      most = Math.max(most, running.size);
      // Each takes some turns.
      if (own.clock.ms % 3000 !== 0) return 'goesOn';
      running.delete(run.importUid);
      return await finish(run, own);
    });
    await world.prepare();
    await world.createImports(30);
    await world.until(areFinished);
    expect(most).toBeGreaterThan(3);
    expect(most).toBeLessThanOrEqual(8);
    expect(world.errors).toEqual([]);
  });

  test('W11: an import that was refused for its source goes on when the source is ready, without being touched', async () => {
    await using world = new World();
    await world.prepare();
    world.adapter.failure = new ProblemError('SourceAuthRequired', 'it says 401');
    await world.createImports(1);
    await world.until((phases) => phases[0] === 'Stalled');
    world.adapter.failure = undefined;
    await world.clock.advance(600_000);
    expect(await world.phases()).toEqual(['Stalled']);
    world.controller.lookAgain({ kind: 'OvaSource', namespace: NAMESPACE, name: 'other' });
    await world.clock.advance(10_000);
    expect(await world.phases()).toEqual(['Stalled']);
    world.controller.lookAgain({ kind: 'OvaSource', namespace: NAMESPACE, name: 'files' });
    await world.until((phases) => phases[0] === 'Finished');
    expect(world.controller.countByPhase()).toEqual(new Map([['Finished', 1]]));
  });

  test('W11: a worker that the source turned away is followed by another one when the source is ready, from where it was', async () => {
    let isRefused = true;
    await using world = new World(async (run, own) => {
      if (!isRefused) return await finish(run, own);
      const id = namesOf(run.importUid).transfer(run.disk);
      const problem = { code: 'SourceAuthRequired', detail: 'it says 401' } as const;
      await own.controller.desk.reportOutcome({ id, epoch: run.epoch }, { problem });
      return { exitCode: 1 };
    });
    await world.prepare();
    await world.createImports(1);
    await world.until((phases) => phases[0] === 'Failed');
    const turnedAway = await world.cluster.get(virtualMachineImportKind, { namespace: NAMESPACE, name: 'web-0' });
    expect(turnedAway?.status?.progress).toMatchObject({ reason: 'SourceAuthRequired', disks: [{ epoch: 1 }] });
    isRefused = false;
    await world.clock.advance(600_000);
    expect(await world.phases()).toEqual(['Failed']);
    world.controller.lookAgain({ kind: 'OvaSource', namespace: NAMESPACE, name: 'files' });
    await world.until(areFinished);
    const { progress } =
      (await world.cluster.get(virtualMachineImportKind, { namespace: NAMESPACE, name: 'web-0' }))?.status ?? {};
    expect(progress).toMatchObject({ attempt: 1, disks: [{ epoch: 2 }] });
  });

  test('a refusal that passes within moments is not told', async () => {
    await using world = new World();
    await world.prepare();
    await world.createImports(1);
    const said = new Set<string | undefined>();
    world.cluster.onWrite(({ kind, object }) => {
      if (kind.kind !== 'VirtualMachineImport') return;
      said.add((object as StoredVirtualMachineImport | undefined)?.status?.progress?.reason);
    });
    const forbidden = new ProblemError('ClusterForbidden', 'may not create jobs.batch in namespace "vms"');
    world.cluster.failNext({ kind: 'Job', verb: 'create' }, forbidden, { times: 2 });
    await world.until(areFinished);
    expect(world.errors.join()).toContain('ClusterForbidden');
    expect(said).not.toContain('ClusterForbidden');
  });

  test('a source that is deleted while an import runs is named, stops no other, and is gone on with when it is back', async () => {
    let isHeld = true;
    await using world = new World(async (run, own) => {
      if (isHeld) return 'goesOn';
      const identity = { id: namesOf(run.importUid).transfer(run.disk), epoch: run.epoch };
      try {
        await own.controller.desk.readAssignment(identity);
      } catch (error) {
        if (!isProblem(error)) throw error;
        const problem = { code: error.code, detail: error.message };
        await own.controller.desk.reportOutcome(identity, { problem });
        return { exitCode: 1 };
      }
      return await finish(run, own);
    });
    await world.prepare();
    const ref = { namespace: NAMESPACE, name: 'files' };
    await world.createImports(1);
    await world.until((phases) => phases[0] === 'Transferring');
    await world.cluster.delete(ovaSourceKind, ref);
    isHeld = false;
    await world.until((phases) => phases[0] === 'Stalled');
    const stalled = await world.cluster.get(virtualMachineImportKind, { namespace: NAMESPACE, name: 'web-0' });
    expect(stalled?.status?.progress).toMatchObject({
      reason: 'SourceObjectMissing',
      message: expect.stringContaining('"files"'),
      nextStep: expect.stringContaining('Create the named source'),
    });
    const source = { apiVersion: API_VERSION, kind: 'OvaSource', metadata: ref };
    await world.cluster.create(ovaSourceKind, source);
    world.controller.lookAgain({ kind: 'OvaSource', ...ref });
    await world.until(areFinished, 10);
  });

  test('a right that is missing stalls the import that needs it, by name, and no other; once granted, it goes on', async () => {
    await using world = new World();
    await world.prepare();
    await world.createImports(2);
    const first = await world.cluster.get(virtualMachineImportKind, { namespace: NAMESPACE, name: 'web-0' });
    const name = namesOf(first?.metadata.uid ?? '').job(0, 1);
    const forbidden = new ProblemError('ClusterForbidden', 'may not create jobs.batch in namespace "vms"');
    let isForbidden = true;
    world.cluster.failNext((call) => isForbidden && call.kind.kind === 'Job' && call.name === name, forbidden, {
      times: 1000,
    });
    await world.until((phases) => phases.includes('Finished') && phases.includes('Stalled'));
    const stalled = await world.cluster.get(virtualMachineImportKind, { namespace: NAMESPACE, name: 'web-0' });
    expect(stalled?.status?.progress).toMatchObject({
      reason: 'ClusterForbidden',
      message: 'may not create jobs.batch in namespace "vms"',
      nextStep: expect.stringContaining('auth can-i'),
    });
    isForbidden = false;
    await world.until(areFinished, 400);
    const finished = await world.cluster.get(virtualMachineImportKind, { namespace: NAMESPACE, name: 'web-0' });
    expect(finished?.status?.importConditions).toContainEqual(
      expect.objectContaining({ type: 'Stalled', status: 'False' }),
    );
    expect(finished?.status?.progress).not.toHaveProperty('nextStep');
  });

  test('ends, and says why, when it may not watch what it needs', async () => {
    const clock = new ManualClock();
    const cluster = new MemoryCluster({ clock, kinds: [{ kind: virtualMachineImportKind, hasStatus: true }] });
    await using world = new World();
    const { parts } = world.controller;
    const controller = new ImportController({
      cluster,
      clock,
      random: () => 0.5,
      log: { info() {}, warn() {}, error() {} },
      adapters: [],
      events: parts.events,
      worker: parts.worker,
      airliftVersion: '1',
      images: undefined,
      limits: { total: 1, perHost: 1, perNode: 1 },
      endpointCa: () => '',
    });
    // KubeVirt is not there.
    const ended = controller.run({});
    ended.catch(() => {});
    await clock.advance(120_000);
    await expect(ended).rejects.toMatchObject({ code: 'ClusterKindMissing' });
  });

  test('takes no more than 20 writes for each', async () => {
    await using world = new World();
    await world.prepare();
    await world.createImports(20);
    await world.until(areFinished);
    const writes = [...world.writes.values()].reduce((sum, each) => sum + each, 0);
    expect(writes / 20, JSON.stringify([...world.writes])).toBeLessThanOrEqual(18);
  });

  test('goes on where another one stopped, and rests when all is done', async () => {
    await using world = new World();
    await world.prepare();
    await world.createImports(5);
    await world.until((phases) => phases.some((each) => each === 'Transferring'));
    await world.restart();
    await world.until(areFinished);
    await world.restart();
    const before = JSON.stringify([...world.writes]);
    await world.clock.advance(3_600_000);
    expect(JSON.stringify([...world.writes])).toBe(before);
    expect(world.errors).toEqual([]);
  });

  test('tells progress every few seconds, not each time a worker does', async () => {
    await using world = new World(async ({ importUid, disk, epoch }, { controller, clock }) => {
      const worker = { namespace: NAMESPACE, serviceAccount: 'default', podName: 'p', podUid: 'u', node: 'n1' };
      const progress = { phase: 'copy' as const, doneBytes: clock.ms % 65_000, checkpointBytes: 0, remarks: [] };
      controller.desk.reportProgress({ id: namesOf(importUid).transfer(disk), epoch }, progress, worker);
      return 'goesOn';
    });
    await world.prepare();
    await world.createImports(1);
    await world.until((phases) => phases[0] === 'Transferring');
    const before = world.writes.get('patch VirtualMachineImport') ?? 0;
    await expect(world.until(() => false, 60)).rejects.toThrow('not there');
    const told = (world.writes.get('patch VirtualMachineImport') ?? 0) - before;
    expect(told).toBeGreaterThanOrEqual(8);
    expect(told).toBeLessThanOrEqual(14);
    const stored = await world.cluster.get(virtualMachineImportKind, { namespace: NAMESPACE, name: 'web-0' });
    expect(stored?.status?.progress?.disks?.[0]).toMatchObject({ phase: 'Transferring', node: 'n1' });
  });

  test('whose watches are cut off again and again misses nothing', async () => {
    await using world = new World();
    await world.prepare();
    await world.createImports(5);
    await world.until((phases) => {
      world.cluster.disconnectWatches();
      world.cluster.compact();
      return areFinished(phases);
    }, 400);
    expect(world.errors).toEqual([]);
  });
});

describe("the desk's answers to workers", () => {
  test('a Pod is a worker by its uid, its run and the Job that made it', async () => {
    await using world = new World(async () => 'goesOn');
    await world.prepare();
    await world.createImports(1);
    await world.until((phases) => phases[0] === 'Transferring');
    const { desk, objects } = world.controller;
    const uid = [...objects.imports()][0]?.uid ?? '';
    const id = namesOf(uid).transfer(0);
    const pod = objects.pods(uid)[0];
    const worker = {
      namespace: NAMESPACE,
      serviceAccount: 'default',
      podName: pod?.metadata.name ?? '',
      podUid: pod?.metadata.uid ?? '',
    };
    expect(await desk.findTransfer(id)).toEqual({ epoch: 1, namespace: NAMESPACE });
    expect(await desk.isWorker({ id, epoch: 1 }, worker)).toBe(true);
    expect(await desk.isWorker({ id, epoch: 2 }, worker)).toBe(false);
    expect(await desk.isWorker({ id, epoch: 1 }, { ...worker, podUid: 'other' })).toBe(false);
    expect(await desk.findTransfer(namesOf('nobody').transfer(0))).toBeUndefined();
    expect(await desk.findTransfer('nonsense')).toBeUndefined();
  });

  test('an assignment says what to read and where to write, and no secret', async () => {
    await using world = new World(async () => 'goesOn');
    await world.prepare();
    await world.createImports(1);
    await world.until((phases) => phases[0] === 'Transferring');
    const uid = [...world.controller.objects.imports()][0]?.uid ?? '';
    const assignment = await world.controller.desk.readAssignment({ id: namesOf(uid).transfer(0), epoch: 1 });
    expect(assignment).toEqual({
      source: { ova: { url: 'https://files.example/app.ova' } },
      disk: { id: 'disk1', index: 0 },
      volume: { uid: expect.any(String), name: 'vms/web-0-disk-0' },
      verify: 'readback',
    });
  });
});
