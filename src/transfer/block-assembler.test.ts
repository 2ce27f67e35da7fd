import { describe, expect, test } from 'vitest';
import { BLOCK_BYTES, LEAF_BYTES } from '../domain/digest-layout.ts';
import { MemoryMachineTarget } from '../testing/memory-target.ts';
import { randomBelow, seededRandom } from '../testing/random.ts';
import { BlockAssembler } from './block-assembler.ts';
import { DigestTree } from './digest-tree.ts';
import { digestDisk } from './verify-disk.ts';

async function assemble(sizeBytes: number) {
  const target = new MemoryMachineTarget();
  const writer = await target.openDisk(0, sizeBytes);
  const tree = new DigestTree(sizeBytes);
  const assembler = new BlockAssembler(writer, tree, { isHashing: true });
  const add = (offset: number, bytes: Uint8Array) => assembler.add(offset, bytes.length, (out) => void out.set(bytes));
  return { target, writer, tree, assembler, add };
}

describe('BlockAssembler', () => {
  test.each([512, 4096, BLOCK_BYTES, 3 * BLOCK_BYTES, 1024 * 1024, 2 * 1024 * 1024])(
    'puts pieces of %i bytes in any order together and knows the digest of each leaf',
    async (pieceBytes) => {
      const size = 3 * LEAF_BYTES + 700 * 512;
      const model = Buffer.alloc(size);
      const { writer, tree, assembler, add, target } = await assemble(size);
      const random = seededRandom(pieceBytes);
      const pieces = [...Array(Math.ceil(size / pieceBytes)).keys()].filter(
        () => random() < (pieceBytes < 8192 ? 0.05 : 0.6),
      );
      pieces.sort(() => random() - 0.5);
      for (const piece of pieces) {
        const offset = piece * pieceBytes;
        const length = Math.min(pieceBytes, size - offset, LEAF_BYTES - (offset % LEAF_BYTES));
        const bytes = Buffer.alloc(length, randomBelow(random, 4));
        bytes.copy(model, offset);
        await add(offset, bytes);
      }
      await assembler.closeLeaves(0, tree.leafCount);
      await assembler.settle();
      expect(Buffer.compare(target.disks.get(0) ?? Buffer.alloc(0), model)).toBe(0);
      expect(tree.root()).toEqual((await digestDisk(writer)).root());
    },
  );

  test('writes no zeroes to a target that is zero already', async () => {
    const { assembler, add, target, tree } = await assemble(LEAF_BYTES);
    await add(0, Buffer.alloc(1024 * 1024));
    const mixed = Buffer.alloc(4 * BLOCK_BYTES);
    mixed.fill(1, BLOCK_BYTES, 2 * BLOCK_BYTES);
    await add(2 * 1024 * 1024, mixed);
    await assembler.closeLeaves(0, tree.leafCount);
    await assembler.settle();
    expect(target.writtenBytes).toBe(BLOCK_BYTES);
  });

  test('overwrites with zeroes what was written before', async () => {
    const { assembler, add, target, tree } = await assemble(LEAF_BYTES);
    await add(0, Buffer.alloc(BLOCK_BYTES, 9));
    await add(0, Buffer.alloc(BLOCK_BYTES));
    await assembler.closeLeaves(0, tree.leafCount);
    await assembler.settle();
    expect(
      target.disks
        .get(0)
        ?.subarray(0, BLOCK_BYTES)
        .every((byte) => byte === 0),
    ).toBe(true);
  });

  test('merges neighbours into writes of up to 1 MiB', async () => {
    const { assembler, add, target, tree } = await assemble(LEAF_BYTES);
    const writes: number[] = [];
    target.onWrite = (_disk, _offset, bytes) => void writes.push(bytes.length);
    for (let offset = 0; offset < LEAF_BYTES; offset += BLOCK_BYTES) await add(offset, Buffer.alloc(BLOCK_BYTES, 1));
    await assembler.closeLeaves(0, tree.leafCount);
    await assembler.settle();
    expect(writes).toEqual([1024 * 1024, 1024 * 1024, 1024 * 1024, 1024 * 1024]);
  });

  test('a piece for a leaf declared complete is a contradiction, not data to drop', async () => {
    const { assembler, add } = await assemble(2 * LEAF_BYTES);
    await assembler.closeLeaves(0, 1);
    await expect(add(4096, Buffer.alloc(512, 1))).rejects.toMatchObject({ code: 'DiskImageCorrupt' });
  });

  test('a failing write reaches whoever waits next', async () => {
    const { assembler, add, target } = await assemble(LEAF_BYTES);
    target.onWrite = () => {
      throw new Error('disk broke');
    };
    await add(0, Buffer.alloc(BLOCK_BYTES, 1));
    await expect(assembler.settle()).rejects.toThrow('disk broke');
  });
});
