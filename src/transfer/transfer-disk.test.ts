import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { LEAF_BYTES } from '../domain/digest-layout.ts';
import { ProblemError } from '../domain/problems.ts';
import type { DecodePiece } from '../ports/disk-reader.ts';
import type { ExpectedDigest } from '../ports/image-file.ts';
import type { DiskProgress, TransferOptions } from '../ports/transfer.ts';
import { HurriedClock } from '../testing/fake-clock.ts';
import { MemoryImageFile } from '../testing/memory-image-file.ts';
import { MemoryMachineTarget } from '../testing/memory-target.ts';
import { plainWindow } from '../testing/plain-window.ts';
import { buildSyntheticDisk, decodeSynthetic, type SyntheticDisk, syntheticReader } from '../testing/synthetic-disk.ts';
import { MAX_CHECKPOINT_BYTES } from './checkpoint.ts';
import { createInlineLanes } from './lanes/inline-lanes.ts';
import { loadLibcryptoHashes } from './libcrypto-hashes.ts';
import { nodeHashes } from './stored-digest.ts';
import { transferDisk } from './transfer-disk.ts';

const enginePartsWith = (decode: DecodePiece) => ({
  decode,
  lanes: createInlineLanes({ decode, openWriter: () => expect.fail('lanes have no target to open here') }),
  window: plainWindow,
  hashes: loadLibcryptoHashes() ?? nodeHashes,
  clock: new HurriedClock(),
});
const parts = enginePartsWith(decodeSynthetic);
const options = (target: MemoryMachineTarget, more: Partial<TransferOptions> = {}): TransferOptions => ({
  target,
  index: 0,
  verify: 'readback',
  ...more,
});
const digestsOf = (disk: SyntheticDisk): ExpectedDigest[] => [
  {
    name: 'disk.img',
    storedBytes: disk.image.length,
    algorithm: 'sha256',
    hex: createHash('sha256').update(disk.image).digest('hex'),
  },
];
const disk = buildSyntheticDisk({ virtualSizeBytes: 9 * LEAF_BYTES + 512 });

/** Stops the source at a file offset, as a dying process would see it. */
class Stop extends Error {}
function readerThatStops(of: SyntheticDisk, atByte: number, more: Parameters<typeof syntheticReader>[1] = {}) {
  const file = new MemoryImageFile(of.image, { pieceBytes: 10_000, expectedDigests: more.expectedDigests ?? [] });
  const whole = file.stream.bind(file);
  file.stream = async function* (streamOptions) {
    let at = streamOptions?.from ?? 0;
    for await (const piece of whole(streamOptions)) {
      at += piece.length;
      if (at > atByte) throw new Stop(`stopped at ${atByte}`);
      yield piece;
    }
  };
  return syntheticReader(of, { ...more, file });
}

describe('transferDisk', () => {
  test.each([
    ['rising', 65_536],
    ['shuffled', 65_536],
    ['shuffled', 4096],
    ['rising', 1_048_576],
  ] as const)('copies a disk whose pieces come %s in pieces of %i bytes', async (order, pieceBytes) => {
    const source = buildSyntheticDisk({ virtualSizeBytes: 5 * LEAF_BYTES + 1536, order, pieceBytes, density: 0.4 });
    const target = new MemoryMachineTarget();
    const result = await transferDisk(parts, syntheticReader(source), options(target));
    expect(Buffer.compare(target.disks.get(0) ?? Buffer.alloc(0), source.content)).toBe(0);
    expect(result).toMatchObject({ virtualSizeBytes: source.content.length, resumes: 0, format: 'synthetic' });
    expect(result.digest?.root).toMatch(/^[0-9a-f]{64}$/);
  });

  test('the digest depends on the content alone, not on how it came', async () => {
    const roots = [];
    for (const forward of [false, true]) {
      const target = new MemoryMachineTarget();
      roots.push(
        (await transferDisk(parts, syntheticReader(disk, { forward, closes: !forward }), options(target))).digest?.root,
      );
    }
    expect(roots[0]).toBe(roots[1]);
  });

  test.each([false, true])(
    'checks the digest of the manifest over every byte of the file (forward: %s)',
    async (forward) => {
      const expectedDigests = digestsOf(disk);
      const good = await transferDisk(
        parts,
        syntheticReader(disk, { expectedDigests, forward }),
        options(new MemoryMachineTarget()),
      );
      expect(good.storedDigests).toMatchObject([{ name: 'disk.img', actual: expectedDigests[0]?.hex }]);

      const wrong = expectedDigests.map((each) => ({ ...each, hex: '0'.repeat(64) }));
      const transfer = transferDisk(
        parts,
        syntheticReader(disk, { expectedDigests: wrong, forward }),
        options(new MemoryMachineTarget()),
      );
      await expect(transfer).rejects.toMatchObject({
        code: 'DigestMismatch',
        message: expect.stringContaining('disk.img'),
      });
    },
  );

  test('computes every algorithm over a file whose digest will be known later', async () => {
    const target = new MemoryMachineTarget();
    const result = await transferDisk(
      parts,
      syntheticReader(disk, { forward: true }),
      options(target, { hashesUnlisted: true }),
    );
    const expected = ['sha1', 'sha256', 'sha512'].map((algorithm) => ({
      algorithm,
      expected: undefined,
      actual: createHash(algorithm).update(disk.image).digest('hex'),
    }));
    expect(result.storedDigests).toMatchObject(expected);
  });

  test('continues from the last checkpoint wherever it stopped, fetches little twice and ends the same', async () => {
    const expectedDigests = digestsOf(disk);
    for (const percent of [1, 5, 20, 50, 77, 95, 99]) {
      const target = new MemoryMachineTarget();
      const stopAt = Math.floor((disk.image.length * percent) / 100);
      await expect(
        transferDisk(parts, readerThatStops(disk, stopAt, { expectedDigests }), options(target)),
      ).rejects.toThrow(Stop);
      const result = await transferDisk(parts, syntheticReader(disk, { expectedDigests }), options(target));
      expect(Buffer.compare(target.disks.get(0) ?? Buffer.alloc(0), disk.content)).toBe(0);
      expect(result.resumes).toBe(1);
      expect(result.storedDigests[0]?.actual).toBe(expectedDigests[0]?.hex);
      // What comes twice is an open leaf of data and the gap that is read through rather than asked for anew.
      expect(result.fetchedBytes - disk.image.length).toBeLessThan(LEAF_BYTES / 4 + 512 * 1024);
    }
  });

  test('does not decode again what is durable', async () => {
    const target = new MemoryMachineTarget();
    await expect(transferDisk(parts, readerThatStops(disk, disk.image.length * 0.9), options(target))).rejects.toThrow(
      Stop,
    );
    const decoded: number[] = [];
    const counting = enginePartsWith((...call) => decoded.push(call[0].offset) && decodeSynthetic(...call));
    await transferDisk(counting, syntheticReader(disk), options(target));
    expect(decoded.length).toBeGreaterThan(0);
    expect(decoded.length).toBeLessThan(disk.pieces.length / 2);
  });

  test('a source without ranges is read again, but nothing durable is decoded twice', async () => {
    const target = new MemoryMachineTarget();
    const expectedDigests = digestsOf(disk);
    const stopping = syntheticReader(disk, { forward: true, expectedDigests });
    const ranges = stopping.ranges.bind(stopping);
    stopping.ranges = async function* (rangesOptions) {
      for await (const range of ranges(rangesOptions)) {
        if (range.fileOffset > disk.image.length * 0.8) throw new Stop();
        yield range;
      }
    };
    await expect(transferDisk(parts, stopping, options(target))).rejects.toThrow(Stop);
    const before = target.writtenBytes;
    const result = await transferDisk(
      parts,
      syntheticReader(disk, { forward: true, expectedDigests }),
      options(target),
    );
    expect(Buffer.compare(target.disks.get(0) ?? Buffer.alloc(0), disk.content)).toBe(0);
    expect(target.writtenBytes - before).toBeLessThan(before);
    expect(result.storedDigests[0]?.actual).toBe(expectedDigests[0]?.hex);
  });

  test('without stored hash states a resume reads the file again and says so', async () => {
    const target = new MemoryMachineTarget();
    const plain = { ...parts, hashes: nodeHashes };
    const expectedDigests = digestsOf(disk);
    await expect(
      transferDisk(plain, readerThatStops(disk, disk.image.length / 2, { expectedDigests }), options(target)),
    ).rejects.toThrow(Stop);
    const remarks: string[] = [];
    const result = await transferDisk(
      plain,
      syntheticReader(disk, { expectedDigests }),
      options(target, { onRemark: (each) => remarks.push(each) }),
    );
    expect(result.storedDigests[0]?.actual).toBe(expectedDigests[0]?.hex);
    expect(remarks).toEqual([expect.stringContaining('read again from its start')]);
  });

  test('a source that changed is not continued', async () => {
    const target = new MemoryMachineTarget();
    await expect(transferDisk(parts, readerThatStops(disk, disk.image.length / 2), options(target))).rejects.toThrow(
      Stop,
    );
    await expect(
      transferDisk(parts, syntheticReader(disk, { contentId: 'other' }), options(target)),
    ).rejects.toMatchObject({ code: 'SourceChanged' });
  });

  test('a source that changes while it is read is noticed before the end', async () => {
    const reader = syntheticReader(disk);
    reader.contentNow = 'other';
    await expect(transferDisk(parts, reader, options(new MemoryMachineTarget()))).rejects.toMatchObject({
      code: 'SourceChanged',
    });
  });

  // What came after the change was among the leaves done; a source with its old identity back was continued from it and called verified.
  test('a source that changed under the copy and changed back is copied from its start', async () => {
    const target = new MemoryMachineTarget();
    const changed = buildSyntheticDisk({ virtualSizeBytes: disk.content.length, seed: 2 });
    const reader = syntheticReader(changed);
    reader.contentNow = 'other';
    await expect(transferDisk(parts, reader, options(target))).rejects.toMatchObject({ code: 'SourceChanged' });
    const result = await transferDisk(parts, syntheticReader(disk), options(target));
    expect(result.resumes).toBe(0);
    expect(Buffer.compare(target.disks.get(0) ?? Buffer.alloc(0), disk.content)).toBe(0);
  });

  test('a byte that flips between write and read-back is found and placed', async () => {
    const target = new MemoryMachineTarget();
    target.onFinish = (bytes) => bytes.writeUInt8((bytes.at(2 * LEAF_BYTES + 5) ?? 0) ^ 1, 2 * LEAF_BYTES + 5);
    await expect(transferDisk(parts, syntheticReader(disk), options(target))).rejects.toMatchObject({
      code: 'VerificationFailed',
      message: `disk-0.raw differs in bytes ${2 * LEAF_BYTES} to ${3 * LEAF_BYTES - 1}`,
    });
  });

  test('a flip in what an earlier run wrote is found after a resume', async () => {
    const target = new MemoryMachineTarget();
    await expect(transferDisk(parts, readerThatStops(disk, disk.image.length * 0.9), options(target))).rejects.toThrow(
      Stop,
    );
    const bytes = target.disks.get(0) ?? Buffer.alloc(0);
    bytes.writeUInt8((bytes.at(9) ?? 0) ^ 1, 9);
    await expect(transferDisk(parts, syntheticReader(disk), options(target))).rejects.toMatchObject({
      code: 'VerificationFailed',
    });
  });

  test('--verify none reads nothing back and gives no digest', async () => {
    const target = new MemoryMachineTarget();
    target.onFinish = (bytes) => bytes.writeUInt8(77, 3);
    const result = await transferDisk(parts, syntheticReader(disk), options(target, { verify: 'none' }));
    expect(result.digest).toBeUndefined();
  });

  test('an interrupted run is not continued with another kind of verification', async () => {
    const target = new MemoryMachineTarget();
    await expect(transferDisk(parts, readerThatStops(disk, disk.image.length / 2), options(target))).rejects.toThrow(
      Stop,
    );
    await expect(transferDisk(parts, syntheticReader(disk), options(target, { verify: 'none' }))).rejects.toMatchObject(
      { code: 'PlanChanged' },
    );
  });

  test('an interrupted run is not continued into a disk of another format', async () => {
    const target = new MemoryMachineTarget();
    await expect(transferDisk(parts, readerThatStops(disk, disk.image.length / 2), options(target))).rejects.toThrow(
      Stop,
    );
    target.diskFileName = (index) => `disk-${index}.qcow2`;
    await expect(transferDisk(parts, syntheticReader(disk), options(target))).rejects.toMatchObject({
      code: 'PlanChanged',
    });
  });

  test('a disk whose file vanished is copied from its start, also when it was finished', async () => {
    for (const stopAt of [disk.image.length / 2, Number.POSITIVE_INFINITY]) {
      const target = new MemoryMachineTarget();
      await transferDisk(parts, readerThatStops(disk, stopAt), options(target, { verify: 'none' })).catch(() => {});
      target.disks.clear();
      const remarks: string[] = [];
      const onRemark = (each: string) => remarks.push(each);
      await transferDisk(parts, syntheticReader(disk), options(target, { verify: 'none', onRemark }));
      expect(remarks).toEqual([expect.stringContaining('disk-0.raw is gone')]);
      expect(Buffer.compare(target.disks.get(0) ?? Buffer.alloc(0), disk.content)).toBe(0);
    }
  });

  test('a damaged checkpoint starts the disk over and says so', async () => {
    const target = new MemoryMachineTarget();
    await expect(transferDisk(parts, readerThatStops(disk, disk.image.length / 2), options(target))).rejects.toThrow(
      Stop,
    );
    const state = target.states.get('disk-0') ?? new Uint8Array(0);
    state[100] = (state[100] ?? 0) ^ 1;
    const remarks: string[] = [];
    const result = await transferDisk(
      parts,
      syntheticReader(disk),
      options(target, { onRemark: (each) => remarks.push(each) }),
    );
    expect(result.resumes).toBe(0);
    expect(remarks).toEqual([expect.stringContaining('damaged')]);
    expect(Buffer.compare(target.disks.get(0) ?? Buffer.alloc(0), disk.content)).toBe(0);
  });

  test('a finished disk is not copied again', async () => {
    const target = new MemoryMachineTarget();
    const first = await transferDisk(parts, syntheticReader(disk), options(target));
    const before = target.writtenBytes;
    expect(await transferDisk(parts, syntheticReader(disk), options(target))).toEqual(first);
    expect(target.writtenBytes).toBe(before);
  });

  test('a full target leaves a state to continue from', async () => {
    const target = new MemoryMachineTarget();
    let room = disk.content.length / 4;
    target.onWrite = (_disk, _offset, bytes) => {
      room -= bytes.length;
      if (room < 0) throw new ProblemError('TargetFull', 'no space');
    };
    await expect(transferDisk(parts, syntheticReader(disk), options(target))).rejects.toMatchObject({
      code: 'TargetFull',
    });
    room = Number.POSITIVE_INFINITY;
    const result = await transferDisk(parts, syntheticReader(disk), options(target));
    expect(result.resumes).toBe(1);
    expect(Buffer.compare(target.disks.get(0) ?? Buffer.alloc(0), disk.content)).toBe(0);
  });

  test('stops when told and can be continued', async () => {
    const target = new MemoryMachineTarget();
    const abort = new AbortController();
    const seen: DiskProgress[] = [];
    const onProgress = (progress: DiskProgress) => {
      seen.push(progress);
      if (progress.doneBytes > disk.content.length / 4) abort.abort(new ProblemError('Interrupted', 'Ctrl-C'));
    };
    await expect(
      transferDisk(parts, syntheticReader(disk), options(target, { signal: abort.signal, onProgress })),
    ).rejects.toMatchObject({ code: 'Interrupted' });
    expect((await transferDisk(parts, syntheticReader(disk), options(target))).resumes).toBe(1);
  });

  test('progress rises to the bytes of data, then through the verification', async () => {
    const seen: DiskProgress[] = [];
    const result = await transferDisk(
      parts,
      syntheticReader(disk),
      options(new MemoryMachineTarget(), { onProgress: (each) => void seen.push(each) }),
    );
    const copied = seen.filter((each) => each.phase === 'copy').map((each) => each.doneBytes);
    expect(copied).toEqual(copied.toSorted((a, b) => a - b));
    expect(copied.at(-1)).toBe(result.dataBytes);
    expect(seen.at(-1)).toMatchObject({ phase: 'done' });
    expect(seen.find((each) => each.phase === 'verify')?.totalBytes).toBe(disk.content.length);
  });

  test('checkpoints stay small also for a disk whose leaves close in disorder', async () => {
    const source = buildSyntheticDisk({ virtualSizeBytes: 200 * LEAF_BYTES, order: 'shuffled', density: 0.005 });
    const target = new MemoryMachineTarget();
    let largest = 0;
    target.onSave = () => {
      largest = Math.max(largest, target.states.get('disk-0')?.length ?? 0);
    };
    await transferDisk(parts, syntheticReader(source, { expectedDigests: digestsOf(source) }), options(target));
    expect(largest).toBeGreaterThan(0);
    expect(largest).toBeLessThan(MAX_CHECKPOINT_BYTES);
  });

  test('a piece that unpacks to less than it should is corruption, but at the end of the disk', async () => {
    const short: DecodePiece = (_piece, _encoded, out) => out.length - 1;
    await expect(
      transferDisk(enginePartsWith(short), syntheticReader(disk), options(new MemoryMachineTarget())),
    ).rejects.toMatchObject({
      code: 'DiskImageCorrupt',
    });
  });
});
