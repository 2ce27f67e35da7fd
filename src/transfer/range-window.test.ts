import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { EncodedRange } from '../ports/disk-reader.ts';
import type { ImageFile, StreamOptions } from '../ports/image-file.ts';
import { collect } from '../testing/collect.ts';
import { ControlledImageFile } from '../testing/controlled-image-file.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { ManualClock, settle } from '../testing/manual-clock.ts';
import { MemoryImageFile } from '../testing/memory-image-file.ts';
import { randomBelow, seededRandom } from '../testing/random.ts';
import { ByteBudget } from './byte-budget.ts';
import { loadLibcryptoHashes } from './libcrypto-hashes.ts';
import { SEGMENT_BYTES } from './plan-segments.ts';
import { type FetchedItem, type FetchWindowOptions, fetchWindow } from './range-window.ts';
import { RequestSlots } from './request-slots.ts';
import { SLAB_BYTES, SlabPool } from './slab-pool.ts';
import { nodeHashes, StoredDigest } from './stored-digest.ts';

const MIB = 1024 * 1024;
const content = fillWithPattern(20 * MIB);
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Different at every place, and quick to make. */
function fillWithPattern(length: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let index = 0; index < words.length; index += 1) words[index] = Math.imul(index, 0x9e3779b1);
  return new Uint8Array(words.buffer, 0, length);
}

const rangeAt = (fileOffset: number, fileBytes: number, file = 0): EncodedRange => ({
  file,
  fileOffset,
  fileBytes,
  pieces: [],
});
/** Each a segment of its own. */
const segments = (count: number) =>
  Array.from({ length: count }, (_, index) => rangeAt(index * SEGMENT_BYTES, SEGMENT_BYTES));
const digestFor = (sizeBytes: number) =>
  new StoredDigest([{ name: 'x', storedBytes: sizeBytes, algorithms: ['sha256'] }], nodeHashes);

async function* inOrder(ranges: readonly EncodedRange[]) {
  yield* ranges;
}

function start(
  ranges: AsyncIterable<EncodedRange> | readonly EncodedRange[],
  options: Partial<FetchWindowOptions> & { files: readonly ImageFile[]; budgetBytes?: number; connections?: number },
) {
  const clock = new ManualClock();
  const { budgetBytes = 32 * MIB, connections = 16, ...rest } = options;
  const pool = new SlabPool(new ByteBudget(budgetBytes));
  const slots = new RequestSlots({ clock, maxConnections: connections });
  const fetched = { bytes: 0, again: 0 };
  const window = fetchWindow(Array.isArray(ranges) ? inOrder(ranges) : (ranges as AsyncIterable<EncodedRange>), {
    digests: [],
    pool,
    slots,
    clock,
    onFetched: (bytes) => (fetched.bytes += bytes),
    onAskedAgain: () => (fetched.again += 1),
    ...rest,
  });
  return { clock, pool, slots, fetched, window };
}

/** Pulls items one after the other and keeps them, so that a test can look at what has come. */
function pull(window: AsyncIterable<FetchedItem>) {
  const seen: { items: FetchedItem[]; isDone: boolean; error?: unknown } = { items: [], isDone: false };
  const run = (async () => {
    try {
      for await (const item of window) {
        seen.items.push({ ...item, bytes: copyOf(item.bytes) });
        item.release();
        // Once more than needed: that must not count twice.
        item.release();
      }
    } catch (error) {
      seen.error = error;
    }
    seen.isDone = true;
  })();
  return { seen, run };
}

function copyOf(bytes: Uint8Array): Uint8Array<SharedArrayBuffer> {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

/** Lets as many requests be in flight as there are connections. */
function openUp(slots: RequestSlots): void {
  Object.defineProperty(slots.tuner, 'depth', { value: slots.tuner.maxConnections });
}

describe('fetchWindow', () => {
  test('yields what is whole first, whatever was asked for first', async () => {
    const file = new ControlledImageFile(content);
    const { window, slots } = start(segments(3), { files: [file] });
    openUp(slots);
    const { seen, run } = pull(window);
    await settle();
    expect(file.streams).toHaveLength(3);
    file.streams[2]?.complete();
    await settle();
    expect(seen.items.map((item) => item.fileOffset)).toEqual([2 * SEGMENT_BYTES]);
    file.streams[0]?.complete();
    file.streams[1]?.complete();
    await run;
    expect(seen.items.map((item) => item.fileOffset)).toEqual([2 * SEGMENT_BYTES, 0, SEGMENT_BYTES]);
    for (const { fileOffset, bytes } of seen.items) {
      expect(Buffer.compare(bytes, content.subarray(fileOffset, fileOffset + bytes.length))).toBe(0);
    }
  });

  test('pulls and asks for nothing before the first item is wanted', async () => {
    const file = new ControlledImageFile(content);
    let pulled = 0;
    async function* ranges() {
      pulled += 1;
      yield rangeAt(0, 10);
    }
    const { window } = start(ranges(), { files: [file] });
    await settle();
    expect([pulled, file.streams.length]).toEqual([0, 0]);
    await window.return();
  });

  test('hands on the very ranges it was given, neighbours together', async () => {
    const ranges = [rangeAt(100, 1000), rangeAt(1100, 50), rangeAt(2000, 0), rangeAt(200_000, 10), rangeAt(8 * MIB, 7)];
    const { window, fetched } = start(ranges, { files: [new MemoryImageFile(content)] });
    const items = await collect(window);
    expect(new Set(items.flatMap((item) => item.ranges))).toEqual(new Set(ranges));
    expect(items.map((item) => [item.fileOffset, item.bytes.length, item.ranges.length])).toEqual([
      [2000, 0, 1],
      [100, 199_910, 3],
      [8 * MIB, 7, 1],
    ]);
    expect(fetched.bytes).toBe(199_917);
  });

  test('one that is held up holds up nobody while there is memory', async () => {
    const file = new ControlledImageFile(content);
    const { window, slots } = start(segments(10), { files: [file] });
    openUp(slots);
    const { seen } = pull(window);
    await settle();
    for (const stream of file.streams.slice(1)) stream.complete();
    await settle();
    expect(seen.items).toHaveLength(9);
    expect(seen.isDone).toBe(false);
    await window.return();
  });

  test('a failure after which the source gave up fails the window, stops the others and gives back all memory', async () => {
    const file = new ControlledImageFile(content);
    const { window, slots, pool } = start(segments(5), { files: [file] });
    openUp(slots);
    const { seen, run } = pull(window);
    await settle();
    file.streams[1]?.complete();
    file.streams[3]?.send(1000);
    await settle();
    file.streams[3]?.fail(new Error('gone for good'));
    await run;
    expect(seen.error).toMatchObject({ message: 'gone for good' });
    expect(file.openStreams).toEqual([]);
    expect(pool.heldBytes).toBe(0);
    expect(slots.inFlight).toBe(0);
  });

  test.each([
    ['less', 'DiskImageTruncated', (stream: ControlledImageFile['streams'][number]) => stream.send(999)],
    ['more', 'SourceRangeIgnored', (stream: ControlledImageFile['streams'][number]) => stream.send(1001)],
  ])('%s bytes than asked for are %s', async (_, code, send) => {
    const file = new ControlledImageFile(content);
    const { window, pool } = start([rangeAt(0, 1000)], { files: [file] });
    const { seen, run } = pull(window);
    await settle();
    const [stream] = file.streams;
    if (stream) send(stream);
    stream?.end();
    await run;
    expect(seen.error).toMatchObject({ code });
    expect(seen.items).toEqual([]);
    expect(pool.heldBytes).toBe(0);
  });

  test('the signal stops everything with its reason', async () => {
    const file = new ControlledImageFile(content);
    const controller = new AbortController();
    const { window, slots, clock, pool } = start(segments(5), { files: [file], signal: controller.signal });
    openUp(slots);
    const { seen, run } = pull(window);
    await settle();
    file.streams[2]?.send(5000);
    controller.abort(new Error('enough'));
    await run;
    expect(seen.error).toMatchObject({ message: 'enough' });
    expect(file.streams.every((stream) => !stream.isOpen && stream.wasAborted)).toBe(true);
    expect([pool.heldBytes, slots.inFlight, clock.waiting]).toEqual([0, 0, 0]);
  });

  test('a slot granted in the moment of the abort starts nothing', async () => {
    const file = new ControlledImageFile(content);
    const controller = new AbortController();
    class LateSlots extends RequestSlots {
      override async acquire() {
        const slot = await super.acquire();
        controller.abort(new Error('enough'));
        return slot;
      }
    }
    const slots = new LateSlots({ clock: new ManualClock() });
    const { window, pool } = start(segments(2), { files: [file], slots, signal: controller.signal });
    await expect(window.next()).rejects.toThrow('enough');
    expect(file.streams).toEqual([]);
    expect([pool.heldBytes, slots.inFlight]).toEqual([0, 0]);
  });

  test('a request that fails makes the tuner careful', async () => {
    const file = new ControlledImageFile(content);
    const { window, slots } = start(segments(1), { files: [file] });
    const { run } = pull(window);
    await settle();
    file.streams[0]?.fail(new Error('gone'));
    await run;
    expect(slots.tuner.depth).toBe(1);
  });

  test('a signal that was aborted before starts nothing', async () => {
    const file = new ControlledImageFile(content);
    const { window } = start(segments(5), { files: [file], signal: AbortSignal.abort(new Error('no')) });
    await expect(window.next()).rejects.toThrow('no');
    expect(file.streams).toEqual([]);
  });

  test('returning early stops all requests, closes the input and keeps no memory but what the consumer has', async () => {
    const file = new ControlledImageFile(content);
    let isInputClosed = false;
    async function* ranges() {
      try {
        yield* segments(10);
      } finally {
        isInputClosed = true;
      }
    }
    const { window, slots, pool } = start(ranges(), {
      files: [file],
      budgetBytes: 6 * SLAB_BYTES,
      digests: [digestFor(content.length)],
    });
    openUp(slots);
    const first = window.next();
    await settle();
    for (const index of [1, 2, 3]) file.streams[index]?.complete();
    const item = await first;
    await window.return();
    expect(isInputClosed).toBe(true);
    expect(file.openStreams).toEqual([]);
    expect(slots.inFlight).toBe(0);
    expect(pool.heldBytes).toBe(SLAB_BYTES);
    item.value?.release();
    item.value?.release();
    expect(pool.heldBytes).toBe(0);
  });

  test('an error of the input is told after everything was stopped', async () => {
    const file = new ControlledImageFile(content);
    async function* ranges() {
      yield* segments(2);
      throw new Error('the map is damaged');
    }
    const { window, pool } = start(ranges(), { files: [file] });
    const { seen, run } = pull(window);
    await run;
    expect(seen.error).toMatchObject({ message: 'the map is damaged' });
    expect(file.openStreams).toEqual([]);
    expect(pool.heldBytes).toBe(0);
  });

  test('a range that has its bytes is a mistake of the caller', async () => {
    const { window } = start([{ ...rangeAt(0, 1), bytes: new Uint8Array(1) }], {
      files: [new MemoryImageFile(content)],
    });
    await expect(window.next()).rejects.toThrow(TypeError);
  });

  test('empty ranges do not pile up while nobody takes them', async () => {
    let pulled = 0;
    async function* ranges() {
      for (; pulled < 100_000; pulled += 1) yield rangeAt(0, 0);
    }
    const { window } = start(ranges(), { files: [new MemoryImageFile(content)] });
    await window.next();
    await settle();
    expect(pulled).toBeLessThan(100);
    await window.return();
  });
});

describe('memory of the window', () => {
  test('no more is asked for than the budget holds, until the consumer gives back', async () => {
    const file = new ControlledImageFile(content);
    const { window, slots, pool } = start(segments(10), { files: [file], budgetBytes: 3 * SLAB_BYTES });
    openUp(slots);
    const kept: FetchedItem[] = [];
    const run = (async () => {
      for await (const item of window) kept.push(item);
    })();
    await settle();
    expect(file.streams).toHaveLength(3);
    for (const stream of file.streams) stream.complete();
    await settle();
    expect([kept.length, file.streams.length]).toEqual([3, 3]);
    kept[1]?.release();
    await settle();
    expect(file.streams).toHaveLength(4);
    for (let done = 3; done < 10; done += 1) {
      file.streams[done]?.complete();
      await settle();
      for (const item of kept) item.release();
      await settle();
    }
    await run;
    expect(pool.peakBytes).toBe(3 * SLAB_BYTES);
    expect(pool.madeCount).toBe(3);
    expect(pool.heldBytes).toBe(0);
  });

  test('a range larger than the whole budget goes through', async () => {
    const ranges = [rangeAt(0, 100_000), rangeAt(MIB, 9 * MIB), rangeAt(12 * MIB, 5)];
    const { window, pool } = start(ranges, { files: [new MemoryImageFile(content)], budgetBytes: 4 * MIB });
    const { seen, run } = pull(window);
    await run;
    expect(seen.error).toBeUndefined();
    expect(seen.items.map((item) => item.bytes.length)).toEqual([100_000, 9 * MIB, 5]);
    expect(pool.peakBytes).toBe(9 * MIB);
  });

  test('two disks on one budget, both with digests, both arrive', async () => {
    const pool = new SlabPool(new ByteBudget(2 * SLAB_BYTES));
    const digests = [digestFor(content.length), digestFor(content.length)];
    const runs = digests.map((digest) =>
      pull(start(segments(9), { files: [new MemoryImageFile(content)], digests: [digest], pool }).window),
    );
    await Promise.all(runs.map(({ run }) => run));
    for (const { seen } of runs) expect(seen.items).toHaveLength(9);
    for (const digest of digests) expect(digest.finish()).toEqual([[sha256(content)]]);
    expect(pool.heldBytes).toBe(0);
    expect(pool.peakBytes).toBeLessThanOrEqual(2 * SLAB_BYTES);
  });
});

describe('digests of the window', () => {
  test('see the whole file in order while its parts come in any', async () => {
    const file = new ControlledImageFile(content);
    const digest = digestFor(content.length);
    const { window, slots, pool } = start(segments(4), { files: [file], digests: [digest] });
    openUp(slots);
    const { seen, run } = pull(window);
    await settle();
    for (const stream of file.streams.slice(1).reverse()) stream.complete();
    await settle();
    expect(seen.items).toHaveLength(3);
    expect(digest.position).toBe(0);
    // The consumer gave them back, the digest has not seen them.
    expect(pool.heldBytes).toBe(file.streams.length * SLAB_BYTES);
    file.streams[0]?.complete();
    while (!seen.isDone) {
      await settle();
      for (const stream of file.openStreams) stream.complete();
    }
    await run;
    expect(seen.error).toBeUndefined();
    expect(digest.position).toBe(content.length);
    expect(digest.finish()).toEqual([[sha256(content)]]);
    expect(pool.heldBytes).toBe(0);
  });

  test('fetch gaps and the end of the file, and nothing twice', async () => {
    const digest = digestFor(content.length);
    const ranges = [rangeAt(5 * MIB, 1000), rangeAt(11 * MIB, MIB)];
    const { window, fetched } = start(ranges, { files: [new MemoryImageFile(content)], digests: [digest] });
    const { seen, run } = pull(window);
    await run;
    expect(seen.items.map((item) => item.ranges.length)).toEqual([1, 1]);
    expect(digest.finish()).toEqual([[sha256(content)]]);
    expect(fetched.bytes).toBe(content.length);
  });

  test('a file that no range touches is read for its digest alone', async () => {
    const digests = [undefined, digestFor(content.length)];
    const files = [new MemoryImageFile(content), new MemoryImageFile(content)];
    const { window } = start([rangeAt(0, 10)], { files, digests });
    expect(await collect(window)).toHaveLength(1);
    expect(digests[1]?.finish()).toEqual([[sha256(content)]]);
  });

  test.each([
    ['behind the first wanted range', 3 * MIB, 8 * MIB, 17 * MIB],
    ['ahead of it', 9 * MIB, 2 * MIB, 11 * MIB + 100],
    ['at the end', 20 * MIB, 2 * MIB, 100],
  ])('a digest that an earlier run left %s goes on from there', async (_, position, wanted, fetchedBytes) => {
    const digest = digestFor(content.length);
    digest.update(0, content.subarray(0, position));
    const { window, fetched } = start([rangeAt(wanted, 100)], {
      files: [new MemoryImageFile(content)],
      digests: [digest],
    });
    await collect(window);
    expect(digest.finish()).toEqual([[sha256(content)]]);
    expect(fetched.bytes).toBe(fetchedBytes);
  });

  test('a digest that fails fails the window', async () => {
    const digest = digestFor(content.length);
    digest.update = () => {
      throw new Error('hash lost');
    };
    const { window, pool } = start(segments(4), { files: [new MemoryImageFile(content)], digests: [digest] });
    const { seen, run } = pull(window);
    await run;
    expect(seen.error).toMatchObject({ message: 'hash lost' });
    expect(pool.heldBytes).toBe(0);
  });
});

describe('slow requests', () => {
  async function startSlow(count: number) {
    const file = new ControlledImageFile(content);
    const parts = start(segments(count), { files: [file] });
    openUp(parts.slots);
    const pulled = pull(parts.window);
    await settle();
    return { file, ...parts, ...pulled };
  }

  test('the rest of one that fell silent is asked for once more, and the silent one is stopped', async () => {
    const { file, clock, seen, run, fetched, pool, slots } = await startSlow(6);
    file.streams[2]?.send(300_000);
    await clock.advance(1_000);
    for (const [index, stream] of file.streams.entries()) if (index !== 2) stream.complete();
    await clock.advance(900);
    expect(file.streams).toHaveLength(6);
    await clock.advance(500);
    expect(file.streams).toHaveLength(7);
    expect([file.streams[6]?.from, file.streams[6]?.to]).toEqual([2 * SEGMENT_BYTES + 300_000, 3 * SEGMENT_BYTES]);
    file.streams[6]?.complete();
    await run;
    expect(file.streams[2]?.wasAborted).toBe(true);
    expect(seen.items).toHaveLength(6);
    const item = seen.items.find((each) => each.fileOffset === 2 * SEGMENT_BYTES);
    expect(
      Buffer.compare(item?.bytes ?? new Uint8Array(0), content.subarray(2 * SEGMENT_BYTES, 3 * SEGMENT_BYTES)),
    ).toBe(0);
    expect(fetched).toEqual({ bytes: 6 * SEGMENT_BYTES, again: 1 });
    expect([pool.heldBytes, slots.inFlight]).toEqual([0, 0]);
  });

  test('one that merely trickles is asked for once more too, and may still win', async () => {
    const { file, clock, run, fetched } = await startSlow(6);
    await clock.advance(100);
    for (const stream of file.streams.slice(1)) stream.complete();
    for (let tick = 0; tick < 12 && fetched.again === 0; tick += 1) {
      file.streams[0]?.send(2_000);
      await clock.advance(250);
    }
    expect(fetched.again).toBe(1);
    file.streams[0]?.complete();
    await run;
    expect(file.streams[6]?.wasAborted).toBe(true);
    expect(file.openStreams).toEqual([]);
  });

  test('those that are all equally slow are left alone', async () => {
    const { file, clock, run, fetched, seen } = await startSlow(4);
    for (let tick = 0; tick < 40; tick += 1) {
      for (const stream of file.streams) stream.send(1_000);
      await clock.advance(250);
    }
    expect(fetched.again).toBe(0);
    for (const stream of file.openStreams) stream.complete();
    await run;
    expect(seen.items).toHaveLength(4);
  });

  test('while there is memory for more, a silent one is left alone', async () => {
    const file = new ControlledImageFile(content);
    async function* ranges() {
      yield* segments(3);
      await new Promise(() => {});
    }
    const { clock, slots, fetched, window } = start(ranges(), { files: [file] });
    openUp(slots);
    void window.next();
    await clock.advance(20_000);
    expect(file.streams).toHaveLength(2);
    expect(fetched.again).toBe(0);
  });

  test.each([
    [9, 1],
    [16, 2],
  ])('of %i requests at most %i are asked for twice', async (count, repeats) => {
    const file = new ControlledImageFile(content);
    const ranges = Array.from({ length: count }, (_, index) => rangeAt(index * MIB, 1000));
    const { clock, slots, fetched, window } = start(ranges, { files: [file], budgetBytes: 64 * MIB, connections: 32 });
    openUp(slots);
    pull(window);
    await clock.advance(60_000);
    expect(fetched.again).toBe(repeats);
    expect(file.streams).toHaveLength(count + repeats);
    await window.return();
  });

  test('a second request that fails does no harm', async () => {
    const { file, clock, run, seen } = await startSlow(1);
    await clock.advance(5_000);
    file.streams[1]?.fail(new Error('also broken'));
    await settle();
    file.streams[0]?.complete();
    await run;
    expect(seen.error).toBeUndefined();
    expect(seen.items).toHaveLength(1);
  });

  test('when both fail the window fails', async () => {
    const { file, clock, run, seen } = await startSlow(1);
    await clock.advance(5_000);
    file.streams[0]?.fail(new Error('broken'));
    await settle();
    expect(seen.isDone).toBe(false);
    file.streams[1]?.fail(new Error('also broken'));
    await run;
    expect(seen.error).toMatchObject({ message: 'also broken' });
  });

  test('what came while the second request waited for its slot is not asked for again', async () => {
    const file = new ControlledImageFile(content);
    const budgetBytes = 2 * SLAB_BYTES;
    const { window, clock, slots, fetched } = start(segments(3), { files: [file], connections: 2, budgetBytes });
    const { run } = pull(window);
    await clock.advance(5_000);
    expect([file.streams.length, slots.inFlight]).toEqual([2, 2]);
    file.streams[0]?.complete();
    await settle();
    expect(file.streams.map((stream) => stream.from)).toEqual([0, SEGMENT_BYTES, 2 * SEGMENT_BYTES]);
    for (const stream of file.openStreams) stream.complete();
    await run;
    expect([file.streams.length, slots.inFlight, fetched.again]).toEqual([3, 0, 0]);
  });

  test('the loser writes nothing any more, even when it does not listen', async () => {
    let sendLate = () => {};
    class DeafFile extends ControlledImageFile {
      override stream(options: StreamOptions = {}): AsyncIterable<Uint8Array> {
        if (this.streams.length > 0) return super.stream(options);
        super.stream(options);
        return (async function* () {
          await new Promise<void>((send) => (sendLate = send));
          yield new Uint8Array(1000).fill(0xee);
        })();
      }
    }
    const file = new DeafFile(content);
    const { window, clock } = start([rangeAt(0, 5_000)], { files: [file] });
    const first = window.next();
    await clock.advance(5_000);
    file.streams[1]?.complete();
    const item = await first;
    sendLate();
    await settle();
    expect(Buffer.compare(item.value?.bytes ?? content, content.subarray(0, 5_000))).toBe(0);
    item.value?.release();
    await window.return();
  });

  test('a request that waits for its rate is not slow', async () => {
    const file = new ControlledImageFile(content);
    const limiter = { take: async () => await clock.delay(30_000) };
    const parts = start(segments(1), { files: [file], limiter: { take: () => limiter.take() } });
    const { clock } = parts;
    const { run } = pull(parts.window);
    await settle();
    file.streams[0]?.complete();
    await clock.advance(40_000);
    await run;
    expect(parts.fetched.again).toBe(0);
  });
});

describe('the rate limit of the window', () => {
  test('is asked for every piece that comes', async () => {
    const taken: number[] = [];
    const limiter = { take: async (bytes: number) => void taken.push(bytes) };
    const file = new MemoryImageFile(content, { pieceBytes: 50_000 });
    const { window } = start([rangeAt(0, 120_000)], { files: [file], limiter });
    await collect(window);
    expect(taken).toEqual([50_000, 50_000, 20_000]);
  });

  test('lets go when the window is stopped', async () => {
    const limiter = {
      take: (_: number, options?: { signal?: AbortSignal | undefined }) =>
        new Promise<void>((_resolve, reject) =>
          options?.signal?.addEventListener('abort', () => reject(options.signal?.reason)),
        ),
    };
    const file = new MemoryImageFile(content);
    const { window, pool } = start(segments(2), { files: [file], limiter });
    const { seen, run } = pull(window);
    await settle();
    await window.return();
    await run;
    expect(seen.items).toEqual([]);
    expect(pool.heldBytes).toBe(0);
  });
});

describe('any ranges in any order', () => {
  test.each(Array.from({ length: 60 }, (_, seed) => seed + 1))('arrive whole and once (seed %i)', async (seed) => {
    const random = seededRandom(seed);
    const files = Array.from({ length: 1 + randomBelow(random, 3) }, () => {
      const size = randomBelow(random, 6 * MIB) + 1;
      const from = randomBelow(random, content.length - size);
      return { bytes: content.subarray(from, from + size) };
    });
    const ranges: EncodedRange[] = [];
    for (const [file, { bytes }] of files.entries()) {
      let at = 0;
      while (at < bytes.length) {
        at += random() < 0.3 ? 0 : randomBelow(random, random() < 0.2 ? 2 * MIB : 40_000);
        const length = Math.min(randomBelow(random, random() < 0.05 ? 3 * MIB : 200_000), bytes.length - at);
        if (length < 0) break;
        if (random() < 0.9) ranges.push(rangeAt(at, length, file));
        at += length + 1;
      }
    }
    const digests = files.map(({ bytes }) => {
      if (random() < 0.3) return undefined;
      const digest = digestFor(bytes.length);
      digest.update(0, bytes.subarray(0, random() < 0.5 ? 0 : randomBelow(random, bytes.length + 1)));
      return digest;
    });
    const images = files.map(({ bytes }) => new JitteryFile(bytes, random));
    const budgetBytes = (1 + randomBelow(random, 6)) * SLAB_BYTES;
    const { window, slots, pool } = start(ranges, { files: images, digests, budgetBytes });
    if (random() < 0.7) openUp(slots);

    const seen: EncodedRange[] = [];
    const later: FetchedItem[] = [];
    for await (const item of window) {
      for (const range of item.ranges) {
        const whole = files[range.file]?.bytes.subarray(range.fileOffset, range.fileOffset + range.fileBytes);
        const from = range.fileOffset - item.fileOffset;
        expect(Buffer.compare(item.bytes.subarray(from, from + range.fileBytes), whole ?? content)).toBe(0);
      }
      seen.push(...item.ranges);
      // As a lane would: the bytes are given back a little later, but not after the next item is in hand.
      later.push(item);
      setImmediate(() => later.pop()?.release());
    }
    await settle();
    expect(seen).toHaveLength(ranges.length);
    expect(new Set(seen)).toEqual(new Set(ranges));
    for (const [index, digest] of digests.entries()) {
      if (digest) expect(digest.finish()).toEqual([[sha256(files[index]?.bytes ?? content)]]);
    }
    expect(pool.heldBytes).toBe(0);
    expect(slots.inFlight).toBe(0);
    const largest = Math.max(0, ...ranges.map((range) => range.fileBytes));
    expect(pool.peakBytes).toBeLessThanOrEqual(Math.max(budgetBytes, largest));
  });
});

test('a clock on which every delay is over at once does no harm', async () => {
  const digest = digestFor(content.length);
  const file = new JitteryFile(content, seededRandom(7));
  const { window, fetched } = start(segments(10), { files: [file], digests: [digest], clock: new FakeClock() });
  expect(await collectReleased(window)).toBe(10);
  expect(digest.finish()).toEqual([[sha256(content)]]);
  expect(fetched.bytes).toBeLessThanOrEqual(content.length + SEGMENT_BYTES);
});

test('every kind of hash takes shared memory', async () => {
  for (const hashes of [nodeHashes, loadLibcryptoHashes() ?? nodeHashes]) {
    const parts = [{ name: 'x', storedBytes: content.length, algorithms: ['sha1', 'sha256', 'sha512'] as const }];
    const digest = new StoredDigest(parts, hashes);
    const { window } = start([], { files: [new MemoryImageFile(content)], digests: [digest] });
    await collect(window);
    const expected = parts[0]?.algorithms.map((name) => createHash(name).update(content).digest('hex'));
    expect(digest.finish()).toEqual([expected]);
  }
});

async function collectReleased(window: AsyncIterable<FetchedItem>): Promise<number> {
  let count = 0;
  for await (const item of window) {
    item.release();
    count += 1;
  }
  return count;
}

/** Pieces of any size, after any number of turns. */
class JitteryFile extends MemoryImageFile {
  readonly #bytes: Uint8Array;
  readonly #random: () => number;

  constructor(bytes: Uint8Array, random: () => number) {
    super(bytes);
    this.#bytes = bytes;
    this.#random = random;
  }

  override async *stream({ from = 0, to = this.#bytes.length } = {}): AsyncGenerator<Uint8Array, void> {
    for (let at = from; at < to; ) {
      for (let turns = randomBelow(this.#random, 4); turns > 0; turns -= 1)
        await new Promise((turn) => setImmediate(turn));
      const piece = this.#bytes.slice(at, Math.min(to, at + 1 + randomBelow(this.#random, 400_000)));
      yield piece;
      at += piece.length;
    }
  }
}
