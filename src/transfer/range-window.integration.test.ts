import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { RateLimiter } from '../lib/rate-limiter.ts';
import { systemClock } from '../main/system-clock.ts';
import type { EncodedRange } from '../ports/disk-reader.ts';
import { HttpConnection } from '../sources/ova/http-connection.ts';
import { HttpFile } from '../sources/ova/http-file.ts';
import { parseHttpLocation } from '../sources/ova/http-location.ts';
import { openHttpFile } from '../sources/ova/open-http-file.ts';
import { RegionImageFile } from '../sources/ova/region-image-file.ts';
import { type HttpFaults, HttpFileServer } from '../testing/http-file-server.ts';
import { ByteBudget } from './byte-budget.ts';
import { type FetchWindowOptions, fetchWindow } from './range-window.ts';
import { RequestSlots } from './request-slots.ts';
import { SLAB_BYTES, SlabPool } from './slab-pool.ts';
import { nodeHashes, StoredDigest } from './stored-digest.ts';

const MIB = 1024 * 1024;
const stack: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of stack.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

const words = new Uint32Array(12 * MIB);
for (let index = 0; index < words.length; index += 1) words[index] = Math.imul(index, 0x9e3779b1);
/** 48 MiB, different at every place. */
const content = new Uint8Array(words.buffer);
const sha256 = createHash('sha256').update(content).digest('hex');

const ranges: EncodedRange[] = Array.from({ length: content.length / MIB }, (_, index) => ({
  file: 0,
  fileOffset: index * MIB,
  fileBytes: MIB,
  pieces: [],
}));
async function* inOrder() {
  yield* ranges;
}

async function openFile(faults: HttpFaults = {}, options: { maxConnections?: number } = {}) {
  const server = await HttpFileServer.start({ files: { '/disk.vmdk': content } });
  stack.push(server);
  const location = parseHttpLocation(server.url('/disk.vmdk'));
  const connection = new HttpConnection(location, { clock: systemClock, stallMs: 20_000, ...options });
  stack.push(connection);
  const file = await openHttpFile(connection, location.url, { backoff: { clock: systemClock, random: () => 0 } });
  if (!(file instanceof HttpFile)) throw new Error('expected a file with ranges');
  server.faults = faults;
  return { server, file: new RegionImageFile(file, { name: 'disk.vmdk' }) };
}

/** Fetches all of the file and compares it; tells how long it took. */
async function fetchAll(file: RegionImageFile, options: Partial<FetchWindowOptions> & { connections?: number } = {}) {
  const { connections, ...rest } = options;
  const pool = new SlabPool(new ByteBudget(32 * MIB));
  const slots = new RequestSlots({ clock: systemClock, maxConnections: connections });
  const digest = new StoredDigest([{ name: 'x', storedBytes: content.length, algorithms: ['sha256'] }], nodeHashes);
  const counts = { fetched: 0, again: 0, ranges: 0, maxDepth: 0 };
  const started = performance.now();
  for await (const item of fetchWindow(inOrder(), {
    files: [file],
    digests: [digest],
    pool,
    slots,
    clock: systemClock,
    onFetched: (bytes) => (counts.fetched += bytes),
    onAskedAgain: () => (counts.again += 1),
    ...rest,
  })) {
    const { fileOffset, bytes } = item;
    expect(Buffer.compare(bytes, content.subarray(fileOffset, fileOffset + bytes.length))).toBe(0);
    counts.ranges += item.ranges.length;
    counts.maxDepth = Math.max(counts.maxDepth, slots.tuner.depth);
    item.release();
  }
  const seconds = (performance.now() - started) / 1000;
  expect(counts.ranges).toBe(ranges.length);
  expect(digest.finish()).toEqual([[sha256]]);
  expect(pool.heldBytes).toBe(0);
  expect(pool.peakBytes).toBeLessThanOrEqual(32 * MIB);
  expect(pool.madeCount).toBeLessThanOrEqual(Math.floor((32 * MIB) / SLAB_BYTES));
  expect(slots.inFlight).toBe(0);
  return { ...counts, seconds, slots };
}

describe('a window over a real server', () => {
  test('adds up connections that are slow each, and finds out by itself how many', async () => {
    const faults = { connectionBytesPerSecond: 5_000_000, delayMs: 20 };
    const { server, file } = await openFile(faults);
    const many = await fetchAll(file);
    expect(await server.waitForAnswers()).toBe(0);
    const single = content.length / faults.connectionBytesPerSecond;
    console.log(`${many.seconds.toFixed(2)} s, one connection ${single.toFixed(2)} s, depth ${many.maxDepth}`);
    expect(single / many.seconds).toBeGreaterThan(4);
    expect(many.maxDepth).toBeGreaterThanOrEqual(8);
    expect(server.mostConnections).toBeLessThanOrEqual(17);
    expect(many.fetched).toBe(content.length);
  });

  test.each([
    [16, {}],
    [5, { maxConnections: 5 }],
  ])('opens %i connections and not one more when its options are %j', async (count, options) => {
    const { server, file } = await openFile({ delayMs: 100 }, options);
    const before = server.mostConnections;
    const streams = Array.from({ length: 24 }, async (_, index) => {
      for await (const _ of file.stream({ from: index * MIB, to: index * MIB + 1000 }));
    });
    await Promise.all(streams);
    expect(before).toBe(1);
    expect(server.mostConnections).toBe(count);
  });

  test('keeps to the number of connections it was told', async () => {
    const { server, file } = await openFile({ connectionBytesPerSecond: 20_000_000 });
    await fetchAll(file, { connections: 3 });
    expect(server.mostConnections).toBeLessThanOrEqual(3);
  });

  test('one connection that dies silently costs a few seconds, not the wait for its timeout', async () => {
    const { server, file } = await openFile({
      connectionBytesPerSecond: 20_000_000,
      deadConnection: { connection: 1, afterBytes: 300_000 },
    });
    const { seconds, again, fetched } = await fetchAll(file);
    expect(again).toBe(1);
    expect(seconds).toBeLessThan(8);
    expect(fetched).toBeLessThan(content.length + 2 * MIB);
    expect(await server.waitForAnswers()).toBe(0);
  });

  test('a server that is too busy now and then gets fewer requests and all of them again', async () => {
    let count = 0;
    const { server, file } = await openFile({ connectionBytesPerSecond: 10_000_000, delayMs: 5 });
    server.beforeRequest = () => {
      count += 1;
      if (count % 5 === 0) server.faults.answers = { status: 503, times: 1 };
    };
    const { fetched } = await fetchAll(file);
    expect(fetched).toBeGreaterThanOrEqual(content.length);
    expect(server.requests.filter((each) => each.status === 503).length).toBeGreaterThan(3);
  });

  test('keeps the rate asked for within 5 % over all connections', async () => {
    const { file } = await openFile();
    const limiter = new RateLimiter({ bytesPerSecond: 16_000_000, clock: systemClock });
    const { seconds } = await fetchAll(file, { limiter });
    const rate = content.length / seconds;
    expect(rate / 16_000_000).toBeGreaterThan(0.95);
    expect(rate / 16_000_000).toBeLessThan(1.05);
  });

  test('stopped midway it leaves no answer under way', async () => {
    const { server, file } = await openFile({ connectionBytesPerSecond: 2_000_000 });
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('enough')), 700);
    await expect(fetchAll(file, { signal: controller.signal })).rejects.toThrow('enough');
    expect(await server.waitForAnswers()).toBe(0);
  });
});
