import { describe, expect, test } from 'vitest';
import type { EncodedRange } from '../ports/disk-reader.ts';
import type { ImageFile } from '../ports/image-file.ts';
import { collect } from '../testing/collect.ts';
import { MemoryImageFile } from '../testing/memory-image-file.ts';
import { planSegments, SEGMENT_BYTES } from './plan-segments.ts';
import { nodeHashes, StoredDigest } from './stored-digest.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const fileOf = (sizeBytes: number) => new MemoryImageFile(new Uint8Array(sizeBytes));

/** A digest that an earlier run has brought to `position`. */
function digestAt(position: number): StoredDigest {
  const digest = new StoredDigest([{ name: 'x', storedBytes: 64 * MIB, algorithms: ['sha1'] }], nodeHashes);
  digest.update(0, new Uint8Array(position));
  return digest;
}

/** What is planned for ranges `[from, to]`, as `file from-to ranges` and `#` where a digest needs it. */
async function plan(
  ranges: readonly (readonly [number, number, number?])[],
  options: { files?: ImageFile[]; digests?: (StoredDigest | undefined)[] } = {},
): Promise<string[]> {
  async function* input(): AsyncGenerator<EncodedRange> {
    for (const [from, to, file = 0] of ranges) yield { file, fileOffset: from, fileBytes: to - from, pieces: [] };
  }
  const { files = [fileOf(64 * MIB)], digests = [] } = options;
  const planned = await collect(planSegments(input(), files, digests));
  return planned.map((each) =>
    'empty' in each
      ? `empty ${each.empty.fileOffset}`
      : `${each.file} ${each.from}-${each.to} ${each.ranges.length}${each.isHashed ? '#' : ''}`,
  );
}

describe('planSegments', () => {
  test('joins neighbours and small gaps up to the size of a segment', async () => {
    expect(
      await plan([
        [0, 10],
        [10, 20],
        [100 * KIB, 200 * KIB],
      ]),
    ).toEqual(['0 0-204800 3']);
    expect(
      await plan([
        [0, MIB],
        [MIB, 2 * MIB],
        [2 * MIB, 3 * MIB],
      ]),
    ).toEqual([`0 0-${SEGMENT_BYTES} 2`, `0 ${2 * MIB}-${3 * MIB} 1`]);
  });

  test('a gap of 256 KiB is fetched along, a larger one is not', async () => {
    expect(
      await plan([
        [0, 10],
        [10 + 256 * KIB, 300_000],
      ]),
    ).toHaveLength(1);
    expect(
      await plan([
        [0, 10],
        [11 + 256 * KIB, 300_000],
      ]),
    ).toHaveLength(2);
  });

  test('never splits a range, however long, and joins nothing to a long one', async () => {
    expect(
      await plan([
        [0, 10],
        [10, 10 * MIB],
        [10 * MIB, 10 * MIB + 5],
      ]),
    ).toEqual(['0 0-10 1', `0 10-${10 * MIB} 1`, `0 ${10 * MIB}-${10 * MIB + 5} 1`]);
  });

  test('joins nothing across files, and nothing that goes back', async () => {
    const files = [fileOf(MIB), fileOf(MIB)];
    expect(
      await plan(
        [
          [0, 10],
          [10, 20, 1],
          [20, 30],
        ],
        { files },
      ),
    ).toEqual(['0 0-10 1', '1 10-20 1', '0 20-30 1']);
    expect(
      await plan([
        [50, 60],
        [0, 10],
      ]),
    ).toEqual(['0 50-60 1', '0 0-10 1']);
  });

  test('hands on an empty range at once and joins on across it', async () => {
    expect(
      await plan([
        [0, 10],
        [7, 7],
        [10, 20],
      ]),
    ).toEqual(['empty 7', '0 0-20 2']);
  });

  test('plans what a digest needs: gaps in order, the end last', async () => {
    const files = [fileOf(9 * MIB)];
    expect(await plan([[5 * MIB, 5 * MIB + 10]], { files, digests: [digestAt(0)] })).toEqual([
      `0 0-${2 * MIB} 0#`,
      `0 ${2 * MIB}-${4 * MIB} 0#`,
      `0 ${4 * MIB}-${5 * MIB + 10} 1#`,
      `0 ${5 * MIB + 10}-${7 * MIB + 10} 0#`,
      `0 ${7 * MIB + 10}-${9 * MIB} 0#`,
    ]);
  });

  test('a gap that a digest needs anyway is no reason for another request', async () => {
    const files = [fileOf(2 * MIB)];
    expect(
      await plan(
        [
          [0, 10],
          [MIB, 2 * MIB],
        ],
        { files, digests: [digestAt(0)] },
      ),
    ).toEqual([`0 0-${2 * MIB} 2#`]);
  });

  test('what a digest has seen already is not fetched for it', async () => {
    const files = [fileOf(8 * MIB)];
    expect(
      await plan(
        [
          [MIB, MIB + 10],
          [3 * MIB, 5 * MIB],
          [7 * MIB, 8 * MIB],
        ],
        { files, digests: [digestAt(4 * MIB)] },
      ),
    ).toEqual([
      `0 ${MIB}-${MIB + 10} 1`,
      `0 ${3 * MIB}-${5 * MIB} 1#`,
      `0 ${5 * MIB}-${7 * MIB} 0#`,
      `0 ${7 * MIB}-${8 * MIB} 1#`,
    ]);
    expect(await plan([[0, 10]], { files, digests: [digestAt(8 * MIB)] })).toEqual(['0 0-10 1']);
  });

  test('the ends of all files come after all ranges, also of files that no range touches', async () => {
    const files = [fileOf(100), fileOf(50), fileOf(70)];
    expect(
      await plan(
        [
          [0, 10],
          [0, 20, 1],
        ],
        { files, digests: [digestAt(0), undefined, digestAt(0)] },
      ),
    ).toEqual(['0 0-10 1#', '1 0-20 1', '0 10-100 0#', '2 0-70 0#']);
  });

  test('an empty file has nothing to plan', async () => {
    expect(await plan([], { files: [fileOf(0)], digests: [digestAt(0)] })).toEqual([]);
  });

  test('refuses a file that is not there, and a digest over a file of unknown size', async () => {
    await expect(plan([[0, 1, 3]])).rejects.toThrow('file 3 of 1');
    const file = new MemoryImageFile(new Uint8Array(1), { ranged: false });
    await expect(plan([], { files: [file], digests: [digestAt(0)] })).rejects.toThrow(TypeError);
  });
});
