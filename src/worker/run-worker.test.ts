import { describe, expect, test } from 'vitest';
import type { Assignment, TransferOutcome } from '../api/transfer-protocol.ts';
import { ProblemError } from '../domain/problems.ts';
import type { Log } from '../ports/log.ts';
import { ManualClock, settle } from '../testing/manual-clock.ts';
import { runWorker, type WorkerParts } from './run-worker.ts';

const MIB = 1024 * 1024;
const digest = { root: 'ab', sectionBytes: 4 * MIB, sections: [] };
const volume = { uid: 'uid-1', name: 'vms/web-disk-0' };
const disk = { id: 'disk1', index: 0 };
const proof: Assignment = { disk, volume, proof: { virtualSizeBytes: MIB, digest } };
const relayed: Assignment = {
  source: { relay: { path: 'web.ova', location: 'https://files.example/exports/web.ova' } },
  disk,
  volume,
  verify: 'readback',
};

interface Given {
  readonly assignment?: Assignment | Error;
  /** What opening the volume, or the source, meets. */
  readonly meets?: unknown;
  readonly report?: (outcome: TransferOutcome, signal: AbortSignal | undefined) => Promise<void>;
}

/** Only what is asked of it; anything else would fail the test. */
function begin({ assignment = proof, meets, report }: Given) {
  const clock = new ManualClock();
  const stop = new AbortController();
  const outcomes: TransferOutcome[] = [];
  const lines: string[] = [];
  const note = (message: string, fields?: object) => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const log = { info: note, warn: note, error: note, debug: note } as unknown as Log;
  const parts = {
    log,
    clock,
    client: {
      readAssignment: async () => {
        if (assignment instanceof Error) throw assignment;
        return assignment;
      },
      reportProgress: async () => {},
      reportOutcome: async (outcome: TransferOutcome, { signal }: { signal?: AbortSignal } = {}) => {
        await report?.(outcome, signal);
        outcomes.push(outcome);
      },
    },
    createDataPlane: () => ({ compareDisk: async () => [], [Symbol.asyncDispose]: async () => {} }),
    openVolumeDisk: async () => {
      if (meets !== undefined) throw meets;
      return { virtualSizeBytes: MIB, format: 'raw', [Symbol.asyncDispose]: async () => {} };
    },
    openSource: async () => {
      throw meets;
    },
  } as unknown as WorkerParts;
  const ended = runWorker(parts, { signal: stop.signal });
  return { clock, stop, outcomes, lines, ended };
}

describe('a worker', () => {
  test('that has done its work says so, and ends well', async () => {
    const { ended, outcomes } = begin({});
    expect(await ended).toEqual({ exitCode: 0 });
    expect(outcomes).toMatchObject([{ result: { digest, virtualSizeBytes: MIB } }]);
  });

  test.each([
    ['that trying again would not change', 'VerificationFailed', 40],
    ['that may pass', 'EndpointUnreachable', 1],
  ] as const)('tells a problem %s', async (_, code, exitCode) => {
    const { ended, outcomes } = begin({ meets: new ProblemError(code, 'why') });
    expect(await ended).toEqual({ exitCode, message: expect.stringContaining(`${code}: why`) });
    expect(outcomes).toEqual([{ problem: { code, detail: 'why' } }]);
  });

  test('tells a bug as a failure that may pass, and its log where it was', async () => {
    const { ended, outcomes, lines } = begin({ meets: new TypeError('x is not a function') });
    expect(await ended).toMatchObject({ exitCode: 1 });
    expect(outcomes).toEqual([{ problem: { code: 'TransferFailed', detail: 'x is not a function' } }]);
    expect(lines.join('\n')).toContain('run-worker.test.ts');
  });

  test('told to stop says that somebody else goes on', async () => {
    const { ended, stop, outcomes } = begin({
      meets: new ProblemError('Interrupted', 'told to'),
      report: async () => stop.abort(new Error('SIGTERM')),
    });
    expect(await ended).toMatchObject({ exitCode: 143 });
    expect(outcomes).toEqual([{ problem: { code: 'TransferInterrupted', detail: 'told to' } }]);
  });

  test('whose last words nobody takes leaves within its grace', async () => {
    const { ended, stop, clock } = begin({
      report: (_, signal) =>
        new Promise((__, reject) => signal?.addEventListener('abort', () => reject(signal.reason), { once: true })),
    });
    await settle();
    stop.abort(new ProblemError('Interrupted', 'SIGTERM'));
    let isOver = false;
    void ended.then(() => {
      isOver = true;
    });
    await clock.advance(14_999);
    expect(isOver).toBe(false);
    await clock.advance(1);
    expect(await ended).toMatchObject({ exitCode: 143 });
  });

  test.each(['TransferSuperseded', 'TransferUnknown'] as const)('whose run is over (%s) tells nobody', async (code) => {
    const { ended, outcomes } = begin({ meets: new ProblemError(code, 'epoch 2 has begun') });
    expect(await ended).toMatchObject({ message: `${code}: epoch 2 has begun` });
    expect(outcomes).toEqual([]);
  });

  test('that is told nothing to do ends with what was in the way', async () => {
    const { ended, outcomes } = begin({ assignment: new ProblemError('EndpointNotUnderstood', 'the assignment') });
    expect(await ended).toMatchObject({ exitCode: 1, message: 'EndpointNotUnderstood: the assignment' });
    expect(outcomes).toEqual([]);
  });

  test('names what it read through the endpoint as what it is', async () => {
    const url = 'https://airlift.example:8443/v1/transfers/uid.0/3/source/web.ova';
    const { ended, outcomes } = begin({
      assignment: relayed,
      meets: new ProblemError('SourceUnreachable', `${url}: no answer`),
    });
    await ended;
    expect(outcomes).toMatchObject([{ problem: { detail: 'https://files.example/exports/web.ova: no answer' } }]);
  });

  test('says no more than can be stored', async () => {
    const { ended, outcomes } = begin({ meets: new ProblemError('SourceUnreachable', 'x'.repeat(100_000)) });
    await ended;
    expect((outcomes[0] as { problem: { detail: string } }).problem.detail).toHaveLength(4096);
  });
});
