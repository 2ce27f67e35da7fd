import { deflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { EncodedPiece } from '../../ports/disk-reader.ts';
import { markedGrain } from '../../testing/vmdk-builder.ts';
import { inflateByLibdeflate, inflateByZlib } from '../inflate.ts';
import { createDecodeVmdkGrain } from './decode-grain.ts';

const content = Uint8Array.from({ length: 65_536 }, (_, index) => (index * 7) % 251);
const piece = (change: Partial<EncodedPiece> = {}): EncodedPiece => ({
  offset: 131_072,
  length: 65_536,
  fileOffset: 66_048,
  fileBytes: 9000,
  encoding: 'vmdk-grain',
  ...change,
});
const refusal = (code: string) => expect.objectContaining({ code });

const inflates = [['zlib', inflateByZlib] as const, ['libdeflate', inflateByLibdeflate()] as const];

describe.each(inflates)('a VMDK grain by %s', (_name, inflate) => {
  if (inflate === undefined) return test('the system has no libdeflate', () => {});
  const decodeVmdkGrain = createDecodeVmdkGrain(inflate);

  test('inflates into the buffer; padding behind the compressed bytes does not matter', () => {
    const encoded = Buffer.concat([markedGrain(256, deflateSync(content)), Buffer.alloc(700, 0xee)]);
    const out = new Uint8Array(65_536);
    expect(decodeVmdkGrain(piece(), encoded, out)).toBe(65_536);
    expect(out).toEqual(content);
  });

  test('drops what the last grain holds beyond the end of the disk', () => {
    const out = new Uint8Array(512);
    const last = piece({ length: 512, unpackedBytes: 65_536 });
    expect(decodeVmdkGrain(last, markedGrain(256, deflateSync(content)), out)).toBe(512);
    expect(out).toEqual(content.subarray(0, 512));
    expect(decodeVmdkGrain(last, markedGrain(256, deflateSync(content.subarray(0, 512))), out)).toBe(512);
  });

  test('a bomb is stopped at the size of a grain', () => {
    const bomb = markedGrain(256, deflateSync(new Uint8Array(64 * 2 ** 20)));
    const before = process.memoryUsage().arrayBuffers;
    expect(() => decodeVmdkGrain(piece(), bomb, new Uint8Array(65_536))).toThrow(refusal('DiskGrainOversized'));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
    expect(() =>
      decodeVmdkGrain(piece(), markedGrain(256, deflateSync(new Uint8Array(65_537))), new Uint8Array(65_536)),
    ).toThrow(/file offset 66048, for disk offset 131072, unpacks to more than 65536 bytes/);
  });

  test.each([
    ['a marker for another address', markedGrain(128, deflateSync(content))],
    ['no compressed bytes', markedGrain(256, new Uint8Array(0))],
    ['less than a marker', new Uint8Array(11)],
    ['a stream cut short', markedGrain(256, deflateSync(content).subarray(0, -20))],
    ['a size past the piece', markedGrain(256, deflateSync(content)).subarray(0, -20)],
    ['too few bytes', markedGrain(256, deflateSync(content.subarray(1)))],
    ['noise', markedGrain(256, content.subarray(0, 900))],
  ])('%s is corruption', (_what, encoded) => {
    expect(() => decodeVmdkGrain(piece(), encoded, new Uint8Array(65_536))).toThrow(refusal('DiskImageCorrupt'));
  });
});
