import { describe, expect, test } from 'vitest';
import { BLOCK_BYTES, LEAF_BYTES } from '../domain/digest-layout.ts';
import type { EncodedPiece } from '../ports/disk-reader.ts';
import { DigestTree, digestLeaf, hashBlock } from './digest-tree.ts';
import { LeafBook } from './leaf-book.ts';

const SIZE = 3 * LEAF_BYTES + 1000;
const piece = (offset: number, length = BLOCK_BYTES): EncodedPiece => ({
  offset,
  length,
  fileOffset: 0,
  fileBytes: length,
  encoding: 'plain',
});

function open(options: { isHashing?: boolean; done?: number[] } = {}) {
  const tree = new DigestTree(SIZE);
  const wasDone = new Uint8Array(tree.leafCount);
  for (const leaf of options.done ?? []) {
    wasDone[leaf] = 1;
    tree.setLeaf(leaf, new Uint8Array(32));
  }
  return { tree, book: new LeafBook(tree, { isHashing: options.isHashing ?? true, wasDone }) };
}

describe('LeafBook', () => {
  test('a leaf is ready when it was closed and its last piece is done, whichever comes last', () => {
    const { book } = open();
    book.announce(piece(0));
    book.announce(piece(BLOCK_BYTES));
    expect(book.settle(piece(BLOCK_BYTES))).toEqual([]);
    expect(book.close(0)).toBe('later');
    expect(book.settle(piece(0))).toEqual([0]);

    book.announce(piece(LEAF_BYTES));
    expect(book.settle(piece(LEAF_BYTES))).toEqual([]);
    expect(book.close(1)).toBe('ready');
    expect(book.close(2)).toBe('hole');
  });

  test('a piece over two leaves keeps both open', () => {
    const { book } = open();
    const wide = piece(LEAF_BYTES - BLOCK_BYTES, 2 * BLOCK_BYTES);
    book.announce(wide);
    expect([book.close(0), book.close(1)]).toEqual(['later', 'later']);
    expect(book.settle(wide)).toEqual([0, 1]);
    expect([book.take(0).doneBytes, book.take(1).doneBytes]).toEqual([BLOCK_BYTES, BLOCK_BYTES]);
  });

  test('the digest of a leaf is that of its content, holes as zeroes', () => {
    const { book } = open();
    const content = new Uint8Array(LEAF_BYTES);
    content.fill(7, 5 * BLOCK_BYTES, 6 * BLOCK_BYTES);
    book.announce(piece(5 * BLOCK_BYTES));
    book.takeBlock(5, true, hashBlock(content.subarray(5 * BLOCK_BYTES, 6 * BLOCK_BYTES)));
    book.settle(piece(5 * BLOCK_BYTES));
    expect(book.take(0).digest).toEqual(digestLeaf(content));
    expect(book.take(1).digest).toEqual(digestLeaf(new Uint8Array(LEAF_BYTES)));
    expect(book.take(3).digest).toEqual(digestLeaf(new Uint8Array(1000)));
    expect(book.openLeaves).toBe(0);
  });

  test('the last, short block of the disk counts as whole', () => {
    const { book } = open();
    const last = piece(3 * LEAF_BYTES, 1000);
    book.announce(last);
    expect(() => book.announce(last)).toThrow(expect.objectContaining({ code: 'DiskImageCorrupt' }));
  });

  test.each([
    ['a block announced twice', [piece(0), piece(0, 2 * BLOCK_BYTES)]],
    ['a block inside of an earlier piece', [piece(0, 4 * BLOCK_BYTES), piece(2 * BLOCK_BYTES)]],
  ])('%s is corruption', (_what, pieces) => {
    const { book } = open();
    expect(() => {
      for (const each of pieces) book.announce(each);
    }).toThrow(expect.objectContaining({ code: 'DiskImageCorrupt', message: expect.stringContaining('twice') }));
  });

  test('a piece for a leaf that was closed, or is done in this run, is corruption', () => {
    const { book, tree } = open();
    book.announce(piece(0));
    book.close(0);
    const corrupt = expect.objectContaining({ code: 'DiskImageCorrupt', message: expect.stringContaining('complete') });
    expect(() => book.announce(piece(BLOCK_BYTES))).toThrow(corrupt);
    tree.setLeaf(1, new Uint8Array(32));
    expect(() => book.announce(piece(LEAF_BYTES))).toThrow(corrupt);
  });

  test('what reaches into a leaf of an earlier run changes nothing there', () => {
    const { book } = open({ done: [0] });
    const wide = piece(LEAF_BYTES - BLOCK_BYTES, 2 * BLOCK_BYTES);
    book.announce(wide);
    book.takeBlock(63, true, new Uint8Array(32));
    expect(book.close(1)).toBe('later');
    expect(book.settle(wide)).toEqual([1]);
    expect(book.openLeaves).toBe(1);
  });

  test('names the holes of a leaf as runs', () => {
    const { book } = open();
    for (const block of [2, 3, 10]) {
      book.announce(piece(block * BLOCK_BYTES));
      book.takeBlock(block, block !== 3, new Uint8Array(32));
    }
    expect([...book.holesOf(0)]).toEqual([
      { offset: 0, length: 2 * BLOCK_BYTES },
      { offset: 3 * BLOCK_BYTES, length: 7 * BLOCK_BYTES },
      { offset: 11 * BLOCK_BYTES, length: LEAF_BYTES - 11 * BLOCK_BYTES },
    ]);
    expect([...book.holesOf(3)]).toEqual([{ offset: 3 * LEAF_BYTES, length: 1000 }]);
  });

  test('keeps no digests without hashing', () => {
    const { book } = open({ isHashing: false });
    book.announce(piece(0));
    book.takeBlock(0, true, new Uint8Array(0));
    expect(book.take(0).digest).toHaveLength(0);
  });
});
