import { describe, expect, test } from 'vitest';
import { eventKind, type Job, nodeKind, type Pod } from '../../../api/core-kinds.ts';
import type { ObservedTransfer } from '../../../domain/next-action.ts';
import { FakeClock } from '../../../testing/fake-clock.ts';
import { MemoryCluster } from '../../../testing/memory-cluster.ts';
import { explainSilence } from './explain-silence.ts';

const NOW = 1_000_000;
const job: Job = { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'run', namespace: 'team', uid: 'job-uid' } };
const pod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'run-x', namespace: 'team', uid: 'pod-uid' },
  spec: { nodeName: 'n1', containers: [] },
};

function transfer(given: Partial<ObservedTransfer> = {}): ObservedTransfer {
  return { epoch: 1, state: 'pending', startedAt: 0, progressAt: NOW - 10_000, failures: 0, ...given };
}

async function world(ready?: { readonly status: string; readonly message?: string }) {
  const cluster = new MemoryCluster({ clock: new FakeClock() });
  if (ready !== undefined) {
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } };
    await cluster.create(nodeKind, node);
    const conditions = [{ type: 'Ready', lastTransitionTime: '2026-11-01T10:00:00Z', ...ready }];
    await cluster.patch(nodeKind, { name: 'n1' }, { status: { conditions } }, { subresource: 'status' });
  }
  const tell = async (uid: string, reason: string, message: string, lastTimestamp: string) =>
    void (await cluster.create(eventKind, {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${uid}-${reason}-${lastTimestamp}`.toLowerCase().replaceAll(':', '-'), namespace: 'team' },
      involvedObject: { kind: 'Pod', name: 'x', namespace: 'team', uid },
      reason,
      message,
      lastTimestamp,
    }));
  const explain = async (given: Partial<ObservedTransfer>, objects: { job?: Job; pod?: Pod } = { job, pod }) =>
    (
      await explainSilence(cluster, {
        transfer: transfer(given),
        job: objects.job,
        pod: objects.pod,
        now: NOW,
      })
    )?.problem;
  return { cluster, tell, explain };
}

describe('a node that does not answer', () => {
  test.each(['pending', 'running', 'stopping'] as const)(
    'is the cause of a %s run, in its own words',
    async (state) => {
      const { explain } = await world({ status: 'Unknown', message: 'Kubelet stopped posting node status.' });
      expect(await explain({ state })).toEqual({
        code: 'TransferNodeLost',
        message:
          'node n1 with Pod run-x does not answer since 2026-11-01T10:00:00Z: Kubelet stopped posting node status.',
      });
    },
  );

  test('is one as well when nobody knows it any more', async () => {
    const { explain } = await world();
    expect(await explain({ state: 'running' })).toEqual({
      code: 'TransferNodeLost',
      message: 'node n1 with Pod run-x is no node of the cluster any more',
    });
  });

  test('is not asked about while the run is not silent, has ended, or was explained', async () => {
    const { explain } = await world();
    expect(await explain({ progressAt: NOW - 4_999 })).toBeUndefined();
    expect(await explain({ state: 'failed' })).toBeUndefined();
    const problem = { code: 'TransferNodeLost', message: 'said by the Pod' } as const;
    expect(await explain({ problem })).toEqual(problem);
    expect(await explainSilence((await world()).cluster, { transfer: undefined, job, pod, now: NOW })).toBeUndefined();
  });

  test('that answers is no cause', async () => {
    const { explain } = await world({ status: 'True' });
    expect(await explain({ state: 'running' })).toBeUndefined();
  });
});

describe('a Pod that does not start', () => {
  test('because none may be made is explained by what its Job met', async () => {
    const { tell, explain } = await world();
    await tell('job-uid', 'FailedCreate', 'exceeded quota: pods', '2026-11-01T10:00:02Z');
    await tell('job-uid', 'FailedCreate', 'of before', '2026-11-01T10:00:01Z');
    await tell('other', 'FailedCreate', "another one's", '2026-11-01T10:00:09Z');
    expect(await explain({}, { job })).toEqual({
      code: 'TransferNotStarted',
      message: 'Job run: FailedCreate: exceeded quota: pods',
    });
  });

  test('because its volume is not there is explained by what the kubelet met, not by other warnings', async () => {
    const { tell, explain } = await world({ status: 'True' });
    await tell('pod-uid', 'FailedMount', 'no such device', '2026-11-01T10:00:01Z');
    await tell('pod-uid', 'MissingClusterDNS', 'falling back', '2026-11-01T10:00:02Z');
    expect(await explain({ problem: { code: 'TransferNotStarted', message: 'ContainerCreating' } })).toEqual({
      code: 'TransferNotStarted',
      message: 'Pod run-x: FailedMount: no such device',
    });
  });

  test('keeps what its status says where nobody said more', async () => {
    const { explain } = await world({ status: 'True' });
    const problem = { code: 'TransferNotStarted', message: 'ContainerCreating' } as const;
    expect(await explain({ problem })).toEqual(problem);
  });
});
