import { describe, expect, test } from 'vitest';
import { configMapKind } from '../../../api/core-kinds.ts';
import { problems } from '../../../domain/problems.ts';
import { someResult } from '../../../testing/import-journey/import-journey.ts';
import { ManualClock } from '../../../testing/manual-clock.ts';
import { MemoryCluster } from '../../../testing/memory-cluster.ts';
import { namesOf } from '../names.ts';
import { TransferStore } from './transfer-store.ts';

const owner = {
  apiVersion: 'migration.harvesterhci.io/v1beta1',
  kind: 'VirtualMachineImport',
  name: 'web',
  uid: 'u-1',
};
const place = { namespace: 'vms', owner, disk: 0 };
const name = namesOf('u-1').checkpoint(0);

function world() {
  const cluster = new MemoryCluster({ clock: new ManualClock() });
  const open = () => new TransferStore(cluster, () => 'CA');
  return { cluster, open, store: open() };
}
const bytesOf = (text: string) => new TextEncoder().encode(text);

describe('the record of a transfer', () => {
  test('is what any controller reads: epoch, checkpoint, problem and result', async () => {
    const { store, open } = world();
    expect((await store.read(place)).state.epoch).toBe(0);
    await store.begin(place, 1);
    await store.saveCheckpoint(place, { epoch: 1, bytes: bytesOf('half'), doneBytes: 50 });
    await store.saveProblem(place, { epoch: 1, code: 'SourceUnreachable', message: 'gone' });
    const read = await open().read(place);
    expect(Buffer.from(read.checkpoint ?? []).toString()).toBe('half');
    expect(read.state).toMatchObject({ epoch: 1, checkpointBytes: 50, problem: { code: 'SourceUnreachable' } });
    await store.saveResult(place, 1, someResult);
    const done = await open().read(place);
    expect(done.state.result).toEqual(someResult);
    expect(done.state.problem).toBeUndefined();
  });

  test('goes with its import and can be found by its label', async () => {
    const { store, cluster } = world();
    await store.begin(place, 1);
    const { metadata, data } = (await cluster.get(configMapKind, { namespace: 'vms', name })) ?? {};
    expect(metadata?.ownerReferences?.[0]).toMatchObject(owner);
    expect(metadata?.labels).toMatchObject({ 'migration.harvesterhci.io/import-uid': 'u-1' });
    expect(data?.['ca.crt']).toBe('CA');
  });

  test("keeps its checkpoint for the next run, and forgets the last one's problem", async () => {
    const { store } = world();
    await store.begin(place, 1);
    await store.saveCheckpoint(place, { epoch: 1, bytes: bytesOf('half'), doneBytes: 50 });
    await store.saveProblem(place, { epoch: 1, code: 'SourceUnreachable', message: 'gone' });
    await store.begin(place, 2);
    const { state, checkpoint } = await store.read(place);
    expect(Buffer.from(checkpoint ?? []).toString()).toBe('half');
    expect(state).toEqual({ version: 1, epoch: 2, failures: 1, begunAtBytes: 50, checkpointBytes: 50 });
  });

  test('reset, it has nothing but its epoch, which never goes back', async () => {
    const { store, open } = world();
    await store.begin(place, 3);
    await store.saveCheckpoint(place, { epoch: 3, bytes: bytesOf('half'), doneBytes: 50 });
    await store.reset(place);
    const { state, checkpoint } = await open().read(place);
    expect([state.epoch, state.checkpointBytes, checkpoint]).toEqual([3, 0, undefined]);
  });

  test('that somebody filled with something else counts as never begun', async () => {
    const { store, cluster, open } = world();
    await store.begin(place, 1);
    await cluster.patch(configMapKind, { namespace: 'vms', name }, { data: { 'state.json': '{"epoch":"x"}' } });
    expect((await open().read(place)).state.epoch).toBe(0);
    await cluster.patch(configMapKind, { namespace: 'vms', name }, { data: { 'state.json': 'no JSON' } });
    await open().begin(place, 1);
    expect((await open().read(place)).state.epoch).toBe(1);
  });
});

describe('two who write', () => {
  test('the old run is refused by name, whoever asks', async () => {
    const { store, open } = world();
    await store.begin(place, 1);
    const other = open();
    await other.begin(place, 2);
    // Its own memory says that 1 is current: the API says otherwise, and is believed.
    const late = store.saveCheckpoint(place, { epoch: 1, bytes: bytesOf('late'), doneBytes: 1 });
    await expect(late).rejects.toMatchObject({ code: 'TransferSuperseded' });
    expect(problems.TransferSuperseded.retry).toBe('never');
    expect((await open().read(place)).checkpoint).toBeUndefined();
  });

  test('of two controllers that begin the same run one is told', async () => {
    const { store, open } = world();
    await store.read(place);
    const other = open();
    await other.begin(place, 1);
    await expect(store.begin(place, 1)).rejects.toMatchObject({ code: 'ClusterConflict' });
  });

  test('a checkpoint goes through beside a change that somebody else made to the object', async () => {
    const { store, cluster } = world();
    await store.begin(place, 1);
    await cluster.patch(configMapKind, { namespace: 'vms', name }, { metadata: { annotations: { a: 'b' } } });
    await store.saveCheckpoint(place, { epoch: 1, bytes: bytesOf('half'), doneBytes: 50 });
    expect((await store.read(place)).state.checkpointBytes).toBe(50);
  });

  test('a record that was deleted under a run is no longer its own', async () => {
    const { store, cluster } = world();
    await store.begin(place, 1);
    await cluster.delete(configMapKind, { namespace: 'vms', name });
    const late = store.saveCheckpoint(place, { epoch: 1, bytes: bytesOf('late'), doneBytes: 1 });
    await expect(late).rejects.toMatchObject({ code: 'TransferSuperseded' });
  });
});
