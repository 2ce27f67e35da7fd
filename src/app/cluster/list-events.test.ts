import { expect, test } from 'vitest';
import { type Event, eventKind } from '../../api/core-kinds.ts';
import { aClusterFor, NAMESPACE, store } from '../../testing/cluster-samples.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { listEvents } from './list-events.ts';

function anEvent(name: string, uid: string, times: Partial<Event>): Event {
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name, namespace: NAMESPACE },
    involvedObject: { kind: 'Pod', name: 'worker', uid },
    type: 'Warning',
    reason: name,
    message: 'it happened',
    ...times,
  };
}

test('the last events about some objects, the oldest first, whichever way their time is written', async () => {
  const cluster = aClusterFor(new FakeClock());
  const events = [
    anEvent('third', 'a', { lastTimestamp: '2026-11-01T10:03:00Z', count: 4 }),
    anEvent('second', 'b', { lastTimestamp: null, eventTime: '2026-11-01T10:02:00.000001Z', type: 'Normal' }),
    anEvent('first', 'a', { firstTimestamp: '2026-11-01T10:01:00Z' }),
    anEvent('foreign', 'c', { lastTimestamp: '2026-11-01T10:04:00Z' }),
  ];
  for (const event of events) await store(cluster, eventKind, event);
  const all = await listEvents(cluster, NAMESPACE, ['a', 'b'], { most: 10 });
  expect(all).toEqual([
    {
      at: '2026-11-01T10:01:00Z',
      isWarning: true,
      reason: 'first',
      message: 'it happened',
      count: 1,
      about: 'Pod worker',
    },
    {
      at: '2026-11-01T10:02:00.000001Z',
      isWarning: false,
      reason: 'second',
      message: 'it happened',
      count: 1,
      about: 'Pod worker',
    },
    {
      at: '2026-11-01T10:03:00Z',
      isWarning: true,
      reason: 'third',
      message: 'it happened',
      count: 4,
      about: 'Pod worker',
    },
  ]);
  const last = await listEvents(cluster, NAMESPACE, ['a', 'b'], { most: 1 });
  expect(last.map(({ reason }) => reason)).toEqual(['third']);
});
