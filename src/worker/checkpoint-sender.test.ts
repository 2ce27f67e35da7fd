import { describe, expect, test } from 'vitest';
import { ProblemError } from '../domain/problems.ts';
import { ManualClock, settle } from '../testing/manual-clock.ts';
import { CheckpointSender } from './checkpoint-sender.ts';

const full = new ProblemError('ClusterObjectInvalid', 'too large');

/** Checkpoints are numbers; each is stored at once unless it is held. */
function begin({ isHeld = false }: { readonly isHeld?: boolean } = {}) {
  const clock = new ManualClock();
  const sent: number[] = [];
  const stored: number[] = [];
  const failed: unknown[] = [];
  const held: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = [];
  const sender = new CheckpointSender<number>({
    clock,
    send: async (checkpoint, { signal }) => {
      sent.push(checkpoint);
      signal?.throwIfAborted();
      if (!isHeld) return;
      await new Promise<void>((resolve, reject) => {
        held.push({ resolve, reject });
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
    },
    onStored: (checkpoint) => stored.push(checkpoint),
    onFailed: (error) => failed.push(error),
  });
  return { clock, sent, stored, failed, held, sender };
}

describe('CheckpointSender', () => {
  test('sends the first at once, and then the newest every ten seconds (ruling 18)', async () => {
    const { sender, clock, stored } = begin();
    sender.offer(1);
    await settle();
    expect(stored).toEqual([1]);
    for (const checkpoint of [2, 3, 4]) {
      sender.offer(checkpoint);
      await clock.advance(2_000);
    }
    expect(stored).toEqual([1]);
    await clock.advance(4_000);
    expect(stored).toEqual([1, 4]);
    expect(clock.waiting).toBe(0);
  });

  test('counts the ten seconds from when the last one was stored', async () => {
    const { sender, clock, sent, held } = begin({ isHeld: true });
    sender.offer(1);
    await clock.advance(8_000);
    held[0]?.resolve();
    await settle();
    sender.offer(2);
    await clock.advance(9_999);
    expect(sent).toEqual([1]);
    await clock.advance(1);
    expect(sent).toEqual([1, 2]);
    held[1]?.resolve();
    await sender.flush();
  });

  test('what is offered while one is being sent follows it, the newest alone', async () => {
    const { sender, clock, sent, held } = begin({ isHeld: true });
    for (const checkpoint of [1, 2, 3]) {
      sender.offer(checkpoint);
      await settle();
    }
    expect(sent).toEqual([1]);
    held[0]?.resolve();
    await clock.advance(10_000);
    expect(sent).toEqual([1, 3]);
    held[1]?.resolve();
    await sender.flush();
  });

  test('flush waits for no turn, and until the newest is stored', async () => {
    const { sender, stored, held, clock } = begin({ isHeld: true });
    sender.offer(1);
    await settle();
    sender.offer(2);
    const flushed = sender.flush().then(() => [...stored]);
    held[0]?.resolve();
    await settle();
    held[1]?.resolve();
    expect(await flushed).toEqual([1, 2]);
    expect(clock.waiting).toBe(0);
  });

  test('a flush is given up with its signal, and says why', async () => {
    const { sender } = begin({ isHeld: true });
    const late = new AbortController();
    sender.offer(1);
    const flushed = sender.flush({ signal: late.signal });
    late.abort(new Error('the grace is over'));
    await expect(flushed).rejects.toThrow('the grace is over');
    await expect(sender.flush({ signal: AbortSignal.abort(new Error('at once')) })).rejects.toThrow('the grace');
  });

  test('what cannot be stored is told once, and thrown to whoever offers or flushes afterwards', async () => {
    const { sender, held, failed } = begin({ isHeld: true });
    sender.offer(1);
    await settle();
    held[0]?.reject(full);
    await settle();
    expect(failed).toEqual([full]);
    expect(() => sender.offer(2)).toThrow(full);
    await expect(sender.flush()).rejects.toThrow(full);
  });

  test('drop forgets what was not sent, and returns when nothing is being sent', async () => {
    const { sender, clock, sent, held } = begin({ isHeld: true });
    sender.offer(1);
    await settle();
    sender.offer(2);
    let isDropped = false;
    const dropped = sender.drop().then(() => {
      isDropped = true;
    });
    await clock.advance(20_000);
    expect(isDropped).toBe(false);
    held[0]?.resolve();
    await dropped;
    await clock.advance(20_000);
    expect(sent).toEqual([1]);
  });

  test('goes on after a flush at its own pace', async () => {
    const { sender, clock, stored } = begin();
    sender.offer(1);
    await sender.flush();
    sender.offer(2);
    await clock.advance(9_000);
    expect(stored).toEqual([1]);
    await clock.advance(1_000);
    expect(stored).toEqual([1, 2]);
  });

  test('disposed, it gives up what is under way without calling it a failure', async () => {
    const { sender, sent, failed, clock } = begin({ isHeld: true });
    sender.offer(1);
    await settle();
    sender.offer(2);
    await sender[Symbol.asyncDispose]();
    await clock.advance(20_000);
    expect(sent).toEqual([1]);
    expect(failed).toEqual([]);
    expect(clock.waiting).toBe(0);
  });
});
