import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { someResult } from '../testing/import-journey/import-journey.ts';
import { ControllerMetrics } from './metrics.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/metrics.md'), 'utf8');

test('every figure of ours is explained in docs/metrics.md in its own words, and nothing else is', async () => {
  const own = (await new ControllerMetrics('1').registry.getMetricsAsJSON()).filter(({ name }) =>
    name.startsWith('airlift_'),
  );
  const explained = [...page.matchAll(/^\| `(airlift_\w+)` \| (\w+) \|[^|]*\| ([^|]+) \|$/gm)].map(
    ([, name, type, help]) => ({ name, type, help }),
  );
  expect(explained.toSorted(byName)).toEqual(
    own.map(({ name, type, help }) => ({ name, type: String(type), help })).toSorted(byName),
  );
});

test('gauges show what there is at the moment, and nothing before there is a view', async () => {
  const metrics = new ControllerMetrics('1.2.3');
  expect(await metrics.registry.metrics()).toContain('airlift_leading 0');
  let phases = new Map([['Transferring', 2]]);
  metrics.show({
    isLeading: () => true,
    imports: () => phases,
    sources: () => [{ kind: 'OvaSource', ready: 3, others: 1 }],
    transfers: () => ({ running: 2, waiting: 5 }),
    queues: () => [{ controller: 'imports', depth: 7 }],
  });
  const before = await metrics.registry.metrics();
  for (const line of [
    'airlift_build_info{version="1.2.3"} 1',
    'airlift_leading 1',
    'airlift_imports{phase="Transferring"} 2',
    'airlift_sources{kind="OvaSource",ready="true"} 3',
    'airlift_sources{kind="OvaSource",ready="false"} 1',
    'airlift_transfers_running 2',
    'airlift_transfers_waiting 5',
    'airlift_queue_depth{controller="imports"} 7',
  ])
    expect(before.split('\n')).toContain(line);
  phases = new Map([['Finished', 2]]);
  const after = await metrics.registry.metrics();
  expect(after).toContain('airlift_imports{phase="Finished"} 2');
  expect(after).not.toContain('phase="Transferring"');
});

test('counters count what happens', async () => {
  const metrics = new ControllerMetrics('1');
  metrics.countRequest({ verb: 'get', resource: 'pods', status: 200 });
  metrics.countRequest({ verb: 'get', resource: 'pods', status: undefined });
  metrics.countWatchRetry('Job');
  metrics.countProblem('SourceUnreachable');
  metrics.countOutcome({ result: someResult });
  metrics.countOutcome({ problem: { code: 'Interrupted', detail: '' } });
  const { began, ended } = metrics.queueHooks('imports');
  began?.('vms/web', 30);
  ended?.('vms/web', 400, 'later');
  const lines = (await metrics.registry.metrics()).split('\n');
  for (const line of [
    'airlift_api_requests_total{verb="get",resource="pods",code="200"} 1',
    'airlift_api_requests_total{verb="get",resource="pods",code="none"} 1',
    'airlift_watch_retries_total{kind="Job"} 1',
    'airlift_problems_total{code="SourceUnreachable"} 1',
    'airlift_transfers_total{outcome="done"} 1',
    'airlift_transfers_total{outcome="Interrupted"} 1',
    'airlift_transfer_bytes_total{direction="read"} 50',
    'airlift_transfer_bytes_total{direction="written"} 100',
    'airlift_reconciles_total{controller="imports",outcome="later"} 1',
    'airlift_queue_wait_seconds_bucket{le="0.05",controller="imports"} 1',
    'airlift_queue_wait_seconds_bucket{le="0.01",controller="imports"} 0',
    'airlift_reconcile_seconds_sum{controller="imports"} 0.4',
  ])
    expect(lines).toContain(line);
});

function byName(one: { readonly name?: string | undefined }, other: { readonly name?: string | undefined }): number {
  return (one.name ?? '').localeCompare(other.name ?? '');
}
