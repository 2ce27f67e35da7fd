import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { settle } from '../testing/manual-clock.ts';
import { DigestQueue } from './digest-queue.ts';
import { nodeHashes, StoredDigest } from './stored-digest.ts';

const bytes = Uint8Array.from({ length: 1_000_000 }, (_, index) => index % 251);
const newDigest = () => new StoredDigest([{ name: 'x', storedBytes: 1_000_000, algorithms: ['sha1'] }], nodeHashes);
const sha1 = createHash('sha1').update(bytes).digest('hex');

function start() {
  const seen: { failures: unknown[]; idles: number; done: number[] } = { failures: [], idles: 0, done: [] };
  const queue = new DigestQueue({
    onFailure: (error) => seen.failures.push(error),
    onIdle: () => (seen.idles += 1),
  });
  const digest = newDigest();
  const run = (from: number, to: number) => ({
    digest,
    fileOffset: from,
    bytes: bytes.subarray(from, to),
    onHashed: () => seen.done.push(from),
  });
  return { queue, digest, seen, run };
}

async function idle(queue: DigestQueue): Promise<void> {
  while (!queue.isIdle) await settle();
}

describe('DigestQueue', () => {
  test('hashes in the order of expecting, whatever comes first', async () => {
    const { queue, digest, seen, run } = start();
    const [first, second, third] = [queue.expect(), queue.expect(), queue.expect()];
    third(run(900_000, 1_000_000));
    second(run(400_000, 900_000));
    await settle();
    expect([digest.position, seen.done.length, queue.isIdle]).toEqual([0, 0, false]);
    first(run(0, 400_000));
    await idle(queue);
    expect(seen).toEqual({ failures: [], idles: 1, done: [0, 400_000, 900_000] });
    expect(digest.finish()).toEqual([[sha1]]);
  });

  test('lets others have a turn every 256 KiB', async () => {
    const { queue, digest, run } = start();
    queue.expect()(run(0, 1_000_000));
    const positions = new Set<number>();
    while (!queue.isIdle) {
      positions.add(digest.position);
      await new Promise((turn) => setImmediate(turn));
    }
    expect([...positions]).toEqual([262_144, 524_288, 786_432, 1_000_000]);
  });

  test('once stopped it touches no bytes and gives back all it holds', async () => {
    const { queue, digest, seen, run } = start();
    const [first, second, third] = [queue.expect(), queue.expect(), queue.expect()];
    third(run(900_000, 1_000_000));
    first(run(0, 800_000));
    await new Promise((turn) => setImmediate(turn));
    queue.stop();
    const { position } = digest;
    expect(position).toBeLessThan(800_000);
    expect(position).toBeGreaterThan(0);
    second(run(800_000, 900_000));
    await settle();
    expect(digest.position).toBe(position);
    expect(seen.done.sort()).toEqual([0, 800_000, 900_000]);
  });

  test('tells a failure', async () => {
    const { queue, seen, run } = start();
    queue.expect()(run(100, 200));
    await settle();
    expect(seen.failures).toEqual([expect.objectContaining({ message: expect.stringContaining('cannot skip') })]);
  });
});
