import { describe, expect, test } from 'vitest';
import { BLOCK_BYTES } from '../domain/digest-layout.ts';
import type { EncodedPiece } from '../ports/disk-reader.ts';
import { JobBuilder } from './job-builder.ts';
import { unpackPieces } from './lanes/lane-job.ts';
import { JOB_BYTES } from './lanes/run-job.ts';

const SIZE = 64 * 2 ** 20;
function piece(offset: number, length: number, fileOffset: number, fileBytes = length): EncodedPiece {
  return { offset, length, fileOffset, fileBytes, encoding: fileBytes === length ? 'plain' : 'zlib' };
}

describe('JobBuilder', () => {
  test('joins neighbouring pieces until a job has its bytes of the disk', () => {
    const builder = new JobBuilder(SIZE);
    const count = JOB_BYTES / BLOCK_BYTES;
    const pieces = Array.from({ length: count + 1 }, (_, at) => piece(at * BLOCK_BYTES, BLOCK_BYTES, at * 100, 100));
    const built = pieces.map((each) => builder.add(0, each));
    expect(built.slice(0, -1)).toEqual(Array(count).fill(undefined));
    expect(built.at(-1)).toMatchObject({ fileOffset: 0, fileBytes: count * 100, pieces: pieces.slice(0, -1) });
    expect(builder.take()).toMatchObject({ fileOffset: count * 100, fileBytes: 100 });
    expect(builder.take()).toBeUndefined();
  });

  test.each([
    ['a gap in the file', 0, 200_000],
    ['another file', 1, BLOCK_BYTES],
    ['an earlier place of the file', 0, 0],
  ])('%s begins a new job', (_what, file, fileOffset) => {
    const builder = new JobBuilder(SIZE);
    builder.add(0, piece(0, BLOCK_BYTES, 0));
    const work = builder.add(file, piece(BLOCK_BYTES, BLOCK_BYTES, fileOffset));
    expect(work).toMatchObject({ file: 0, fileOffset: 0, fileBytes: BLOCK_BYTES });
    expect(builder.take()).toMatchObject({ file, fileOffset });
  });

  test('a piece longer than a job is a job alone', () => {
    const builder = new JobBuilder(SIZE);
    expect(builder.add(0, piece(0, 2 * JOB_BYTES, 0, 5000))).toBeUndefined();
    expect(builder.add(0, piece(2 * JOB_BYTES, BLOCK_BYTES, 5000, 100))?.pieces).toHaveLength(1);
  });

  test('parts that make up a block together go to the lane, others are fragments', () => {
    const builder = new JobBuilder(SIZE);
    const cluster = BLOCK_BYTES / 16;
    for (let at = 0; at < 24; at += 1) builder.add(0, piece(at * cluster, cluster, at * cluster));
    const work = builder.take();
    expect(work?.pieces).toHaveLength(16);
    expect(work?.fragments.map(({ offset }) => offset)).toEqual(
      Array.from({ length: 8 }, (_, at) => BLOCK_BYTES + at * cluster),
    );
    expect(work).toMatchObject({ fileOffset: 0, fileBytes: 24 * cluster });
  });

  test('parts with a gap, an overlap, or over the edge of a block are fragments', () => {
    const half = BLOCK_BYTES / 2;
    const cases = [
      [piece(0, half, 0), piece(half + 512, half - 512, half)],
      [piece(0, half + 512, 0), piece(half, half, BLOCK_BYTES)],
      [piece(half, BLOCK_BYTES, 0)],
    ];
    for (const pieces of cases) {
      const builder = new JobBuilder(SIZE);
      for (const each of pieces) builder.add(0, each);
      expect(builder.take()).toMatchObject({ job: undefined, fragments: pieces });
    }
  });

  test('the short block at the end of the disk is whole', () => {
    const builder = new JobBuilder(BLOCK_BYTES + 700);
    builder.add(0, piece(BLOCK_BYTES, 512, 0));
    builder.add(0, piece(BLOCK_BYTES + 512, 188, 512));
    expect(builder.take()?.fragments).toEqual([]);
    builder.add(0, { ...piece(BLOCK_BYTES, BLOCK_BYTES, 0, 100), unpackedBytes: BLOCK_BYTES });
    expect(builder.take()?.pieces).toHaveLength(1);
  });

  test('a lane gets pieces in the order of the disk', () => {
    const builder = new JobBuilder(SIZE);
    for (const [at, block] of [3, 1, 2].entries())
      builder.add(0, piece(block * BLOCK_BYTES, BLOCK_BYTES, at * 100, 100));
    const job = builder.take()?.job;
    expect(unpackPieces(job?.pieces ?? new Float64Array(0)).map(({ offset }) => offset / BLOCK_BYTES)).toEqual([
      1, 2, 3,
    ]);
  });
});
