import { expect, test } from 'vitest';
import { jobKind } from '../../api/core-kinds.ts';
import { ProblemError } from '../../domain/problems.ts';
import { aClusterFor, aJob, madeBy, NAMESPACE, store } from '../../testing/cluster-samples.ts';
import { collect } from '../../testing/collect.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { findOrphans } from './find-orphans.ts';
import { removeOrphans } from './remove-orphans.ts';

test('removes what was found and nothing that has its name by now, and goes on after a refusal', async () => {
  const cluster = aClusterFor(new FakeClock());
  for (const name of ['a', 'b', 'c']) await store(cluster, jobKind, aJob(name, madeBy('gone', 0, 1)));
  const { orphans } = await findOrphans(cluster, {});
  await cluster.delete(jobKind, { namespace: NAMESPACE, name: 'a' });
  const another = await store(cluster, jobKind, aJob('a', {}));
  const refusal = new ProblemError('ClusterForbidden', 'may not delete jobs.batch in namespace vms');
  cluster.failNext({ verb: 'delete', name: 'b' }, refusal);

  const removals = await collect(removeOrphans(cluster, orphans));
  expect(removals.map(({ orphan, ...how }) => [orphan.name, how])).toEqual([
    ['a', { result: 'changed' }],
    ['b', { result: 'failed', problem: refusal }],
    ['c', { result: 'removed' }],
  ]);
  expect(await cluster.get(jobKind, { namespace: NAMESPACE, name: 'a' })).toEqual(another);
  expect(await cluster.get(jobKind, { namespace: NAMESPACE, name: 'c' })).toBeUndefined();
});

test('what is gone by itself is as good as removed', async () => {
  const cluster = aClusterFor(new FakeClock());
  await store(cluster, jobKind, aJob('a', madeBy('gone', 0, 1)));
  const { orphans } = await findOrphans(cluster, {});
  await cluster.delete(jobKind, { namespace: NAMESPACE, name: 'a' });
  expect(await collect(removeOrphans(cluster, orphans))).toMatchObject([{ result: 'removed' }]);
});
