import { describe, expect, test } from 'vitest';
import type { TransferProgress } from '../api/transfer-protocol.ts';
import { ProblemError } from '../domain/problems.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { ProgressReporter } from './progress-reporter.ts';

const MIB = 1024 * 1024;

function begin() {
  const clock = new ManualClock();
  const sent: (TransferProgress & { readonly atMs: number })[] = [];
  const state = { checkpointBytes: 0, problem: undefined as Error | undefined };
  const startMs = clock.ms;
  const reporter = new ProgressReporter({
    clock,
    send: async (progress) => {
      if (state.problem !== undefined) throw state.problem;
      sent.push({ ...progress, atMs: clock.ms - startMs });
    },
    checkpointBytes: () => state.checkpointBytes,
  });
  return { clock, sent, state, reporter };
}

describe('ProgressReporter', () => {
  test('says at once that it is there, and every four seconds that it still is', async () => {
    const { clock, sent, reporter } = begin();
    await clock.advance(9_000);
    await reporter[Symbol.asyncDispose]();
    expect(sent.map(({ atMs }) => atMs)).toEqual([0, 4_000, 8_000]);
    expect(sent[0]).toMatchObject({ phase: 'open', doneBytes: 0, checkpointBytes: 0, remarks: [] });
  });

  test('tells news every two seconds, the newest alone, with its rate and what is stored', async () => {
    const { clock, sent, state, reporter } = begin();
    await clock.advance(0);
    for (let step = 0; step <= 60; step += 1) {
      reporter.update({ phase: 'copy', doneBytes: step * MIB, totalBytes: 100 * MIB });
      state.checkpointBytes = step * MIB - (step % 10) * MIB;
      await clock.advance(100);
    }
    await reporter[Symbol.asyncDispose]();
    const last = sent.at(-1);
    expect(sent.length).toBe(4);
    expect(last).toMatchObject({ phase: 'copy', totalBytes: 100 * MIB, atMs: 6_000 });
    expect(last?.doneBytes).toBeGreaterThanOrEqual(59 * MIB);
    expect(last?.checkpointBytes).toBeGreaterThanOrEqual(50 * MIB);
    expect((last?.bytesPerSecond ?? 0) / MIB).toBeCloseTo(10, 0);
  });

  test('a rate is of the phase it is in, and of none in which nothing moves', async () => {
    const { clock, sent, reporter } = begin();
    reporter.update({ phase: 'copy', doneBytes: 0 });
    await clock.advance(2_000);
    reporter.update({ phase: 'copy', doneBytes: 200 * MIB });
    await clock.advance(2_000);
    reporter.update({ phase: 'finish', doneBytes: 200 * MIB });
    await clock.advance(2_000);
    expect(sent.at(-1)).not.toHaveProperty('bytesPerSecond');
    reporter.update({ phase: 'verify', doneBytes: 0 });
    await clock.advance(1_000);
    reporter.update({ phase: 'verify', doneBytes: 10 * MIB });
    await clock.advance(2_000);
    await reporter[Symbol.asyncDispose]();
    expect((sent.at(-1)?.bytesPerSecond ?? 0) / MIB).toBeLessThan(20);
  });

  test('a remark is told once, also when the endpoint was away meanwhile', async () => {
    const { clock, sent, state, reporter } = begin();
    await clock.advance(0);
    state.problem = new ProblemError('EndpointUnreachable', 'no route');
    reporter.remark('reading again');
    await clock.advance(6_000);
    expect(sent).toHaveLength(1);
    state.problem = undefined;
    reporter.remark('and again');
    await clock.advance(8_000);
    await reporter[Symbol.asyncDispose]();
    expect(sent.flatMap(({ remarks }) => remarks)).toEqual(['reading again', 'and again']);
  });

  test('remarks are few and short, whatever a source gives rise to', async () => {
    const { clock, sent, reporter } = begin();
    for (let each = 0; each < 100; each += 1) reporter.remark('x'.repeat(10_000));
    await clock.advance(2_000);
    await reporter[Symbol.asyncDispose]();
    expect(sent.at(-1)?.remarks).toHaveLength(16);
    expect(sent.at(-1)?.remarks[0]).toHaveLength(2048);
  });

  test('disposed, it says nothing more and waits for nothing', async () => {
    const { clock, sent, reporter } = begin();
    await clock.advance(0);
    await reporter[Symbol.asyncDispose]();
    reporter.update({ phase: 'copy', doneBytes: 1 });
    await clock.advance(10_000);
    expect(sent).toHaveLength(1);
    expect(clock.waiting).toBe(0);
  });
});
