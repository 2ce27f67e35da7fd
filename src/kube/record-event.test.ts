import { describe, expect, test } from 'vitest';
import { configMapKind, type Event, eventKind, nodeKind } from '../api/core-kinds.ts';
import { ProblemError } from '../domain/problems.ts';
import { collect } from '../testing/collect.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { MemoryCluster } from '../testing/memory-cluster.ts';
import { EventRecorder } from './record-event.ts';

const metadata = { namespace: 'a', name: 'import-1', uid: 'u1', resourceVersion: '7' };
const about = { apiVersion: 'v1', kind: 'ConfigMap', metadata };
const started = { type: 'Normal', reason: 'TransferStarted', message: 'disk 0 is being copied' } as const;

function open() {
  const clock = new ManualClock();
  const cluster = new MemoryCluster({ clock });
  const dropped: unknown[] = [];
  const make = () =>
    new EventRecorder({
      cluster,
      clock,
      component: 'airlift-controller',
      instance: 'pod-1',
      onDropped: (event, why) => dropped.push([event.reason, why]),
    });
  const events = async (): Promise<Event[]> => await collect(cluster.list(eventKind));
  return { clock, cluster, dropped, make, recorder: make(), events };
}

describe('EventRecorder', () => {
  test('writes an event that says who says what about which object', async () => {
    const { recorder, events } = open();
    recorder.record(about, started);
    await recorder.flush();
    expect(await events()).toMatchObject([
      {
        metadata: { namespace: 'a', name: expect.stringMatching(/^import-1\.[0-9a-f]{16}$/) },
        involvedObject: { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'a', name: 'import-1', uid: 'u1' },
        type: 'Normal',
        reason: 'TransferStarted',
        message: 'disk 0 is being copied',
        count: 1,
        firstTimestamp: expect.stringMatching(/^\d{4}-.*:\d\dZ$/),
        source: { component: 'airlift-controller' },
        reportingInstance: 'pod-1',
      },
    ]);
  });

  test('counts up what is said again, also after a restart, and keeps apart what differs', async () => {
    const { clock, recorder, make, events } = open();
    recorder.record(about, started);
    await recorder.flush();
    await clock.advance(60_000);
    const later = make();
    later.record(about, started);
    later.record(about, started);
    later.record(about, { ...started, message: 'disk 1 is being copied' });
    later.record({ ...about, metadata: { ...metadata, uid: 'u2' } }, started);
    await later.flush();
    const [first, ...others] = (await events()).sort((a, b) => (b.count ?? 0) - (a.count ?? 0));
    expect(first).toMatchObject({ count: 3 });
    expect(Date.parse(first?.lastTimestamp ?? '') - Date.parse(first?.firstTimestamp ?? '')).toBe(60_000);
    expect(others.map(({ count }) => count)).toEqual([1, 1]);
  });

  test('two who say the same at the same moment make one event', async () => {
    const { make, events } = open();
    const [one, two] = [make(), make()];
    one.record(about, started);
    two.record(about, started);
    await Promise.all([one.flush(), two.flush()]);
    expect((await events()).map(({ count }) => count)).toEqual([2]);
  });

  test('one object cannot flood the cluster, and does not keep others from speaking', async () => {
    const { clock, recorder, dropped, events } = open();
    for (let index = 0; index < 40; index += 1) recorder.record(about, { ...started, message: `${index}` });
    recorder.record({ ...about, metadata: { ...metadata, name: 'other', uid: 'u2' } }, started);
    await recorder.flush();
    expect((await events()).length).toBe(26);
    expect(dropped.length).toBe(15);
    await clock.advance(300_000);
    for (let index = 40; index < 45; index += 1) recorder.record(about, { ...started, message: `${index}` });
    await recorder.flush();
    expect((await events()).length).toBe(27);
  });

  test('many objects at once cannot fill the memory', async () => {
    const { recorder, dropped, events } = open();
    for (let index = 0; index < 500; index += 1) {
      recorder.record({ ...about, metadata: { ...metadata, uid: `u${index}` } }, started);
    }
    expect(dropped.length).toBe(300);
    await recorder.flush();
    expect((await events()).length).toBe(200);
  });

  test('a cluster that does not take it is told, and the next one is sent all the same', async () => {
    const { cluster, recorder, dropped, events } = open();
    cluster.failNext({ verb: 'create', kind: 'Event' }, new ProblemError('ClusterForbidden', 'no'));
    recorder.record(about, started);
    recorder.record(about, { ...started, reason: 'Next' });
    await recorder.flush();
    expect(dropped).toMatchObject([['TransferStarted', { code: 'ClusterForbidden' }]]);
    expect((await events()).map(({ reason }) => reason)).toEqual(['Next']);
  });

  test('is as long as the API allows, whatever it is about', async () => {
    const { recorder, events } = open();
    const name = `${'n'.repeat(229)}-${'n'.repeat(23)}`;
    recorder.record(
      { ...about, metadata: { ...metadata, name } },
      { ...started, message: 'm'.repeat(5_000), reason: 'R'.repeat(200) },
    );
    await recorder.flush();
    const [event] = await events();
    expect(event?.metadata.name.length).toBeLessThanOrEqual(253);
    expect([event?.message?.length, event?.reason?.length]).toEqual([1_024, 128]);
  });

  test('of an object without a namespace it is in `default`', async () => {
    const { recorder, events } = open();
    recorder.record({ apiVersion: 'v1', kind: nodeKind.kind, metadata: { name: 'n1', uid: 'u9' } }, started);
    await recorder.flush();
    expect(await events()).toMatchObject([{ metadata: { namespace: 'default' }, involvedObject: { name: 'n1' } }]);
    expect((await events())[0]?.involvedObject).not.toHaveProperty('namespace');
  });

  test('does not touch the object', async () => {
    const { cluster, recorder } = open();
    recorder.record(about, started);
    await recorder.flush();
    expect(await cluster.get(configMapKind, metadata)).toBeUndefined();
  });
});
