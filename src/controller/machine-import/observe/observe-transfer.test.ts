import { describe, expect, test } from 'vitest';
import type { Job, Pod } from '../../../api/core-kinds.ts';
import { labelsOf } from '../names.ts';
import { FRESH, type TransferState } from '../transfers/transfer-record.ts';
import { observeTransfer } from './observe-transfer.ts';

const BEGAN = '2026-11-01T10:00:00Z';
const began = Date.parse(BEGAN);
const second: TransferState = { ...FRESH, epoch: 2 };

function job(epoch: number, conditions: { type: string; message?: string }[] = []): Job {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: `job-${epoch}`, labels: labelsOf('u', { disk: 0, epoch }), creationTimestamp: BEGAN },
    status: { conditions: conditions.map((each) => ({ ...each, status: 'True' })) },
  };
}

function pod(epoch: number, status: NonNullable<Pod['status']>, more: Partial<Pod['metadata']> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `pod-${epoch}`, labels: labelsOf('u', { disk: 0, epoch }), creationTimestamp: BEGAN, ...more },
    spec: { nodeName: 'n1' },
    status,
  };
}

const observe = (jobs: Job[], pods: Pod[], state = second) => observeTransfer({ jobs, pods, state, live: undefined });

describe('a run that goes as it should', () => {
  test('is pending until its Pod runs, then running, as of its last progress', () => {
    expect(observe([job(2)], [])).toMatchObject({ state: 'pending', epoch: 2, startedAt: began });
    expect(observe([job(2)], [pod(2, { phase: 'Pending' })])).toMatchObject({ state: 'pending' });
    const running = [pod(2, { phase: 'Running', startTime: '2026-11-01T10:00:07Z' })];
    expect(observe([job(2)], running)).toMatchObject({ state: 'running', progressAt: began + 7000 });
    const live = { phase: 'copy', doneBytes: 1, at: began + 9000 } as const;
    expect(observeTransfer({ jobs: [job(2)], pods: running, state: second, live })?.progressAt).toBe(began + 9000);
  });

  test('what was told of an earlier run is no progress of this one', () => {
    const live = { phase: 'copy', doneBytes: 1, at: began - 1 } as const;
    const pods = [pod(2, { phase: 'Running', startTime: BEGAN })];
    expect(observeTransfer({ jobs: [job(2)], pods, state: second, live })?.progressAt).toBe(began);
  });

  test('of which nothing is there yet is none', () => {
    expect(observe([], [])).toBeUndefined();
    expect(observe([job(1)], [pod(1, { phase: 'Failed' })])).toBeUndefined();
  });
});

describe('one writer (ruling 16)', () => {
  test('a Pod of an earlier run that may still write holds everything up', () => {
    const pods = [pod(1, { phase: 'Running' }), pod(2, { phase: 'Pending' })];
    expect(observe([job(2)], pods)).toMatchObject({ state: 'stopping', epoch: 2 });
    expect(observe([], [pod(1, { phase: 'Unknown' })])).toMatchObject({ state: 'stopping' });
  });

  test('so does one that is being deleted, or whose Job is gone', () => {
    const leaving = pod(2, { phase: 'Running' }, { deletionTimestamp: BEGAN });
    expect(observe([job(2)], [leaving])).toMatchObject({ state: 'stopping' });
    expect(observe([], [pod(2, { phase: 'Running' })])).toMatchObject({ state: 'stopping' });
  });

  test('a node that does not answer is named; its Pod is waited for', () => {
    const status: NonNullable<Pod['status']> = {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: 'False', reason: 'NodeNotReady', lastTransitionTime: BEGAN }],
    };
    expect(observe([job(2)], [pod(2, status, { deletionTimestamp: BEGAN })])).toMatchObject({
      state: 'stopping',
      problem: { code: 'TransferNodeLost', message: `node n1 with Pod pod-2 does not answer since ${BEGAN}` },
    });
  });

  test('also of a Pod that nobody has deleted; the kubelet alone would have said it of its containers too', () => {
    const said = (containersReady: 'True' | 'False') =>
      observe(
        [job(2)],
        [
          pod(2, {
            phase: 'Running',
            conditions: [
              { type: 'Ready', status: 'False', lastTransitionTime: BEGAN },
              { type: 'ContainersReady', status: containersReady },
            ],
          }),
        ],
      );
    expect(said('True')).toMatchObject({ state: 'running', problem: { code: 'TransferNodeLost' } });
    expect(said('False')?.problem).toBeUndefined();
  });
});

describe('why a Pod does not start', () => {
  test.each<[string, NonNullable<Pod['status']>, string]>([
    [
      'the scheduler says it',
      {
        phase: 'Pending',
        conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes' }],
      },
      'Unschedulable: 0/1 nodes',
    ],
    [
      'the runtime says it',
      {
        phase: 'Pending',
        containerStatuses: [
          { name: 'worker', state: { waiting: { reason: 'ErrImagePull', message: 'no such host' } } },
        ],
      },
      'ErrImagePull: no such host',
    ],
  ])('%s', (_, status, message) => {
    expect(observe([job(2)], [pod(2, status)])?.problem).toEqual({ code: 'TransferNotStarted', message });
  });

  test('no Pod at all is said too', () => {
    expect(observe([job(2)], [])?.problem?.message).toBe('Job job-2 has made no Pod yet');
  });
});

describe('a run that ended', () => {
  const killed: NonNullable<Pod['status']> = {
    phase: 'Failed',
    containerStatuses: [
      {
        name: 'worker',
        state: {
          terminated: {
            exitCode: 137,
            reason: 'OOMKilled',
            message: 'first line\nlast line\n',
            finishedAt: '2026-11-01T10:05:00Z',
          },
        },
      },
    ],
  };

  test('with a problem that its worker told is told as that', () => {
    const problem = { epoch: 2, code: 'DiskImageCorrupt', message: 'grain 7' } as const;
    const seen = observe([job(2, [{ type: 'Failed' }])], [pod(2, killed)], { ...second, problem });
    expect(seen).toMatchObject({ state: 'failed', problem, endedAt: Date.parse('2026-11-01T10:05:00Z') });
    // Also when Job and Pod have been removed since.
    expect(observe([], [], { ...second, problem })).toMatchObject({ state: 'failed', problem });
    expect(observe([], [], { ...second, problem: { ...problem, epoch: 1 } })).toBeUndefined();
  });

  test('without a word is told by what the kubelet saw', () => {
    expect(observe([job(2)], [pod(2, killed)])).toMatchObject({
      state: 'failed',
      problem: { code: 'TransferFailed', message: 'the worker ended with exit code 137 (OOMKilled): last line' },
    });
    const evicted: NonNullable<Pod['status']> = {
      phase: 'Failed',
      reason: 'Evicted',
      message: 'the node was low on memory',
    };
    expect(observe([job(2)], [pod(2, evicted)])?.problem?.message).toBe('Evicted: the node was low on memory');
    const failed = job(2, [{ type: 'Failed', message: 'BackoffLimitExceeded' }]);
    expect(observe([failed], [])?.problem?.message).toBe('BackoffLimitExceeded');
  });

  test('well but without a result is a failure all the same', () => {
    expect(observe([job(2, [{ type: 'Complete' }])], [pod(2, { phase: 'Succeeded' })])).toMatchObject({
      state: 'failed',
      problem: { code: 'TransferFailed' },
    });
  });

  test('counts failures in a row, anew after progress', () => {
    const failuresOf = (state: Partial<TransferState>) =>
      observe([job(2)], [pod(2, killed)], { ...second, ...state })?.failures;
    expect(failuresOf({ failures: 0 })).toBe(1);
    expect(failuresOf({ failures: 3 })).toBe(4);
    expect(failuresOf({ failures: 3, begunAtBytes: 10, checkpointBytes: 11 })).toBe(1);
  });
});
