import { describe, expect, test } from 'vitest';
import { BLOCK_BYTES, LEAF_BYTES } from '../domain/digest-layout.ts';
import { ProblemError } from '../domain/problems.ts';
import type { DecodePiece, DiskReader, EncodedPiece } from '../ports/disk-reader.ts';
import type { DiskWriter } from '../ports/disk-writer.ts';
import { MemoryImageFile } from '../testing/memory-image-file.ts';
import { plainWindow } from '../testing/plain-window.ts';
import { randomBelow, seededRandom } from '../testing/random.ts';
import { DigestTree, digestLeaf } from './digest-tree.ts';
import { DiskPump } from './disk-pump.ts';
import { createInlineLanes } from './lanes/inline-lanes.ts';

const SIZE = 3 * LEAF_BYTES + 700 * 512;
const copyBytes: DecodePiece = (_piece, encoded, out) => {
  out.set(encoded);
  return encoded.length;
};

/** A raw-like disk whose pieces have any size and come in any order. */
function shuffledDisk(pieceBytes: number, density: number) {
  const random = seededRandom(pieceBytes);
  const content = Buffer.alloc(SIZE);
  const pieces: EncodedPiece[] = [];
  const parts: Buffer[] = [];
  const offsets = [...Array(Math.ceil(SIZE / pieceBytes)).keys()]
    .filter(() => random() < density)
    .map((each) => ({ offset: each * pieceBytes, order: random() }))
    .sort((a, b) => a.order - b.order);
  let fileOffset = 0;
  for (const { offset } of offsets) {
    const length = Math.min(pieceBytes, SIZE - offset);
    const bytes = Buffer.alloc(length, randomBelow(random, 4));
    bytes.copy(content, offset);
    parts.push(bytes);
    pieces.push({ offset, length, fileOffset, fileBytes: length, encoding: 'plain' });
    fileOffset += length;
  }
  return { content, pieces, image: Buffer.concat(parts) };
}

function readerOf(pieces: readonly EncodedPiece[], image: Uint8Array, perRange = 1): DiskReader {
  return {
    format: 'test',
    virtualSizeBytes: SIZE,
    contentId: 'test',
    readContentId: async () => 'test',
    files: [new MemoryImageFile(image)],
    oneShot: false,
    allocation: { kind: 'unknown' },
    async *ranges() {
      for (let at = 0; at < pieces.length; at += perRange) {
        const some = pieces.slice(at, at + perRange);
        const start = some[0]?.fileOffset ?? 0;
        const last = some.at(-1);
        yield {
          file: 0,
          fileOffset: start,
          fileBytes: (last?.fileOffset ?? 0) + (last?.fileBytes ?? 0) - start,
          pieces: some,
        };
      }
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

function memoryWriter(isKnownZero: boolean, fill = 0) {
  const bytes = Buffer.alloc(SIZE, fill);
  const log: string[] = [];
  const writer: DiskWriter & { bytes: Buffer; log: string[]; onWrite: () => void } = {
    bytes,
    log,
    onWrite: () => {},
    virtualSizeBytes: SIZE,
    isKnownZero,
    write: async (offset, part) => {
      writer.onWrite();
      log.push(`write ${offset} ${part.length}`);
      bytes.set(part, offset);
    },
    read: async (offset, into) => void into.set(bytes.subarray(offset, offset + into.length)),
    ...(isKnownZero
      ? {}
      : {
          zero: async (offset: number, length: number) => {
            log.push(`zero ${offset} ${length}`);
            bytes.fill(0, offset, offset + length);
          },
        }),
    recordLeaf: (leaf) => void log.push(`leaf ${leaf}`),
    flush: async () => {},
    finish: async () => {},
    openWritten: () => Promise.reject(new Error('not here')),
    allocatedBytes: async () => 0,
    [Symbol.asyncDispose]: async () => {},
  };
  return writer;
}

function pump(reader: DiskReader, writer?: DiskWriter, decode = copyBytes) {
  const tree = new DigestTree(SIZE);
  const lanes = createInlineLanes({ decode, openWriter: () => expect.fail('no lane writer here') });
  const run = new DiskPump({
    reader,
    writer,
    tree,
    isHashing: true,
    lanes,
    decode,
    window: plainWindow,
    digests: [],
  }).run();
  return { run, tree };
}

function digestOfContent(content: Buffer): Uint8Array {
  const tree = new DigestTree(content.length);
  for (let leaf = 0; leaf < tree.leafCount; leaf += 1) {
    tree.setLeaf(leaf, digestLeaf(content.subarray(leaf * LEAF_BYTES, (leaf + 1) * LEAF_BYTES)));
  }
  return tree.root();
}

describe('DiskPump', () => {
  const sizes = [512, 4096, BLOCK_BYTES, 3 * BLOCK_BYTES, 100 * 512, 1024 * 1024, 2 * 1024 * 1024];
  describe.each([true, false])('onto a target that is known to be zero: %s', (isKnownZero) => {
    test.each(sizes)(
      'puts pieces of %i bytes in any order together and knows the digest of each leaf',
      async (pieceBytes) => {
        const disk = shuffledDisk(pieceBytes, pieceBytes < 8192 ? 0.05 : 0.6);
        const writer = memoryWriter(isKnownZero, isKnownZero ? 0 : 0xff);
        const { run, tree } = pump(readerOf(disk.pieces, disk.image, 3), writer);
        await run;
        expect(Buffer.compare(writer.bytes, disk.content)).toBe(0);
        expect(tree.root()).toEqual(digestOfContent(disk.content));
      },
    );
  });

  test('only reads when there is no target, and gives the same digest', async () => {
    const disk = shuffledDisk(BLOCK_BYTES, 0.5);
    const { run, tree } = pump(readerOf(disk.pieces, disk.image, 5));
    await run;
    expect(tree.root()).toEqual(digestOfContent(disk.content));
  });

  test('writes no zeroes to a target that is zero already', async () => {
    const image = Buffer.alloc(4 * BLOCK_BYTES);
    image.fill(1, BLOCK_BYTES, 2 * BLOCK_BYTES);
    const piece = {
      offset: 0,
      length: image.length,
      fileOffset: 0,
      fileBytes: image.length,
      encoding: 'plain',
    } as const;
    const writer = memoryWriter(true);
    await pump(readerOf([piece], image), writer).run;
    expect(writer.log.filter((each) => each.startsWith('write'))).toEqual([`write ${BLOCK_BYTES} ${BLOCK_BYTES}`]);
  });

  test('zeroes the holes of other targets in runs, each before its leaf is recorded', async () => {
    const image = Buffer.alloc(BLOCK_BYTES, 7);
    const piece = {
      offset: LEAF_BYTES,
      length: image.length,
      fileOffset: 0,
      fileBytes: image.length,
      encoding: 'plain',
    } as const;
    const writer = memoryWriter(false, 0xff);
    await pump(readerOf([piece], image), writer).run;
    const zeroes = writer.log.filter((each) => each.startsWith('zero'));
    expect(zeroes.toSorted()).toEqual(
      [
        `zero 0 ${LEAF_BYTES}`,
        `zero ${LEAF_BYTES + BLOCK_BYTES} ${LEAF_BYTES - BLOCK_BYTES}`,
        `zero ${2 * LEAF_BYTES} ${SIZE - 2 * LEAF_BYTES}`,
      ].toSorted(),
    );
    expect(writer.log.indexOf(`zero 0 ${LEAF_BYTES}`)).toBeLessThan(writer.log.indexOf('leaf 0'));
    expect(writer.log.findIndex((each) => each.startsWith(`zero ${LEAF_BYTES + BLOCK_BYTES}`))).toBeLessThan(
      writer.log.indexOf('leaf 1'),
    );
  });

  test('a part of the disk that is in the image twice is corruption', async () => {
    const image = Buffer.alloc(3 * BLOCK_BYTES, 1);
    const twice = [0, 1].map((at) => ({
      offset: 0,
      length: BLOCK_BYTES,
      fileOffset: at * BLOCK_BYTES,
      fileBytes: BLOCK_BYTES,
      encoding: 'plain' as const,
    }));
    await expect(pump(readerOf(twice, image), memoryWriter(true)).run).rejects.toMatchObject({
      code: 'DiskImageCorrupt',
    });
  });

  test('the first failure is thrown when nothing is under way any more, and its leaf is not done', async () => {
    const disk = shuffledDisk(BLOCK_BYTES, 0.9);
    const writer = memoryWriter(true);
    let writes = 0;
    writer.onWrite = () => {
      writes += 1;
      if (writes === 20) throw new ProblemError('TargetFull', 'no space');
    };
    const { run, tree } = pump(readerOf(disk.pieces, disk.image), writer);
    await expect(run).rejects.toMatchObject({ code: 'TargetFull' });
    const atFailure = writes;
    await new Promise((resolve) => setImmediate(resolve));
    expect(writes).toBe(atFailure);
    expect(tree.knownLeaves).toBe(0);
  });

  test('a source that fails is told even while the target is at work', async () => {
    const disk = shuffledDisk(BLOCK_BYTES, 0.9);
    const reader = readerOf(disk.pieces, disk.image.subarray(0, disk.image.length / 2));
    await expect(pump(reader, memoryWriter(true)).run).rejects.toMatchObject({ code: 'DiskImageTruncated' });
  });
});
