import { describe, expect, test } from 'vitest';
import { ProblemError } from '../domain/problems.ts';
import { ManualClock, settle } from '../testing/manual-clock.ts';
import type { EndpointClient } from './endpoint-client.ts';
import { EndpointLink } from './endpoint-link.ts';
import { RecordKeeper } from './record-keeper.ts';
import { RunAhead } from './run-ahead.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** Records are numbers of bytes as text. */
function begin({ stored }: { readonly stored?: Uint8Array } = {}) {
  const clock = new ManualClock();
  const calls: string[] = [];
  const endpoint = { problem: undefined as Error | undefined };
  const failed: unknown[] = [];
  const client = {
    saveCheckpoint: async (_: Uint8Array, doneBytes: number) => {
      if (endpoint.problem !== undefined) throw endpoint.problem;
      calls.push(`save ${doneBytes / MIB}`);
    },
    removeCheckpoint: async () => void calls.push('remove'),
  } as unknown as EndpointClient;
  const ahead = new RunAhead(GIB, { link: new EndpointLink(clock), inner: undefined });
  const copiedBytesOf = (record: Uint8Array) => Number(Buffer.from(record).toString('utf8')) || 0;
  const onFailed = (error: unknown) => void failed.push(error);
  const keeper = new RecordKeeper({ client, clock, ahead, copiedBytesOf, onFailed, stored });
  return { clock, calls, endpoint, failed, ahead, keeper };
}

function record(bytes: number): Uint8Array {
  return Buffer.from(String(bytes));
}

describe('RecordKeeper', () => {
  test('begins with what an earlier run stored', async () => {
    const stored = record(40 * MIB);
    const { keeper } = begin({ stored });
    expect(await keeper.load()).toBe(stored);
    expect(keeper.checkpointBytes).toBe(40 * MIB);
    expect(begin({ stored: Buffer.from('torn') }).keeper.checkpointBytes).toBe(0);
    expect(begin().keeper.checkpointBytes).toBe(0);
  });

  test('a record counts once it is stored, not before', async () => {
    const { keeper, ahead, clock, calls } = begin();
    await ahead.take(50 * MIB);
    await keeper.save(record(50 * MIB));
    expect(keeper.checkpointBytes).toBe(0);
    expect(ahead.unsavedBytes).toBe(50 * MIB);
    await settle();
    expect(keeper.checkpointBytes).toBe(50 * MIB);
    expect(ahead.unsavedBytes).toBe(0);
    await ahead.take(10 * MIB);
    await keeper.save(record(60 * MIB));
    await ahead.take(5 * MIB);
    await clock.advance(10_000);
    expect(calls).toEqual(['save 50', 'save 60']);
    // What was fetched after it was made is not in it.
    expect(ahead.unsavedBytes).toBe(5 * MIB);
  });

  test('removed, none that was waiting comes back', async () => {
    const { keeper, clock, calls } = begin();
    await keeper.save(record(10 * MIB));
    await settle();
    await keeper.save(record(20 * MIB));
    await keeper.remove();
    await clock.advance(20_000);
    expect(calls).toEqual(['save 10', 'remove']);
    expect(keeper.checkpointBytes).toBe(0);
  });

  test('flush stores the newest at once', async () => {
    const { keeper, calls } = begin();
    await keeper.save(record(10 * MIB));
    await settle();
    await keeper.save(record(20 * MIB));
    await keeper.flush();
    expect(calls).toEqual(['save 10', 'save 20']);
    expect(keeper.checkpointBytes).toBe(20 * MIB);
  });

  test('a record that cannot be stored ends the copy: whoever goes on would not know of it', async () => {
    const { keeper, endpoint, failed } = begin();
    endpoint.problem = new ProblemError('TransferSuperseded', 'epoch 2 has begun');
    await keeper.save(record(10 * MIB));
    await settle();
    expect(failed).toEqual([endpoint.problem]);
    await expect(keeper.save(record(20 * MIB))).rejects.toThrow(endpoint.problem);
    expect(keeper.checkpointBytes).toBe(0);
  });
});
