import {
  STREAM_GRAIN_BYTES,
  type StreamGrain,
  writeStreamOptimized,
} from '../src/formats/vmdk/stream-optimized-writer.ts';
import { randomBelow, randomBytes, seededRandom } from '../src/testing/random.ts';

export interface LargeDiskOptions {
  readonly virtualSizeBytes: number;
  /** About so much of the disk is data, in grains strewn over it; the rest is hole. */
  readonly dataBytes: number;
  readonly seed: number;
}

const POOL_BYTES = 1024 * 1024;

/** A streamOptimized VMDK and what the guest sees. Half of each grain does not compress, so the file has about half the size of the data. */
export async function buildLargeDisk(
  options: LargeDiskOptions,
): Promise<{ readonly vmdk: Uint8Array; readonly content: Buffer }> {
  const { virtualSizeBytes } = options;
  const content = Buffer.alloc(virtualSizeBytes);
  const pieces: Uint8Array[] = [];
  for await (const piece of writeStreamOptimized({ virtualSizeBytes, grains: grainsOf(content, options), level: 1 }))
    pieces.push(piece);
  return { vmdk: Buffer.concat(pieces), content };
}

function* grainsOf(content: Buffer, { virtualSizeBytes, dataBytes, seed }: LargeDiskOptions): Generator<StreamGrain> {
  const random = seededRandom(seed);
  // Random bytes are dear; zlib looks back 32 KiB only, so other parts of one pool compress as little as new ones.
  const pool = randomBytes(random, POOL_BYTES);
  for (let offset = 0; offset < virtualSizeBytes; offset += STREAM_GRAIN_BYTES) {
    if (random() >= dataBytes / virtualSizeBytes) continue;
    const bytes = content.subarray(offset, Math.min(virtualSizeBytes, offset + STREAM_GRAIN_BYTES));
    const from = randomBelow(random, POOL_BYTES - STREAM_GRAIN_BYTES);
    bytes.fill(`data at ${offset}, `);
    bytes.set(pool.subarray(from, from + Math.floor(bytes.length / 2)), Math.floor(bytes.length / 4));
    yield { offset, bytes };
  }
}
