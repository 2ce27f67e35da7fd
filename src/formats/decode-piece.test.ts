import { deflateRawSync, deflateSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { EncodedPiece, PieceEncoding } from '../ports/disk-reader.ts';
import { randomBytes, seededRandom } from '../testing/random.ts';
import { createDecodePiece } from './decode-piece.ts';
import { inflateByLibdeflate, inflateByZlib } from './inflate.ts';
import { zstdFrameBytes } from './qcow2/zstd-frame.ts';

const bytes = randomBytes(seededRandom(5), 4096).fill(3, 1000);
const packers = { zlib: deflateSync, deflate: deflateRawSync, zstd: zstdCompressSync } as const;
const packed = ['zlib', 'deflate', 'zstd'] as const;

const inflates = [['zlib', inflateByZlib] as const, ['libdeflate', inflateByLibdeflate()] as const];

describe.each(inflates)('decodePiece by %s', (_name, inflate) => {
  if (inflate === undefined) return test('the system has no libdeflate', () => {});
  const decodePiece = createDecodePiece(inflate);
  function decode(encoding: PieceEncoding, encoded: Uint8Array, length: number, unpackedBytes?: number) {
    const piece: EncodedPiece = { offset: 8192, length, fileOffset: 512, fileBytes: encoded.length, encoding };
    const out = new Uint8Array(length);
    const decoded = decodePiece(unpackedBytes === undefined ? piece : { ...piece, unpackedBytes }, encoded, out);
    return { decoded, out };
  }

  test('copies plain bytes', () => {
    expect(decode('plain', bytes, bytes.length)).toEqual({ decoded: 4096, out: bytes });
  });

  test.each(packed)('unpacks %s, with and without padding behind it', (encoding) => {
    const encoded = packers[encoding](bytes);
    for (const padding of [0, 1, 511]) {
      const padded = Buffer.concat([encoded, Buffer.alloc(padding, 0xaa)]);
      expect(decode(encoding, padded, 4096)).toEqual({ decoded: 4096, out: bytes });
    }
  });

  test.each(packed)('%s that unpacks to more than the piece is named as oversized', (encoding) => {
    const bomb = packers[encoding](Buffer.alloc(2 ** 22));
    expect(() => decode(encoding, bomb, 4096)).toThrow(expect.objectContaining({ code: 'DiskGrainOversized' }));
  });

  test.each(packed)('%s cut short, or garbage, is corrupt and says where', (encoding) => {
    const encoded = packers[encoding](bytes);
    for (const bad of [encoded.subarray(0, -5), encoded.subarray(0, 3), Buffer.alloc(100, 0xff), Buffer.alloc(0)]) {
      const corrupt = { code: 'DiskImageCorrupt', context: { offset: 8192, fileOffset: 512 } };
      expect(() => decode(encoding, bad, 4096)).toThrow(expect.objectContaining(corrupt));
    }
  });

  test('a VMDK grain may come out short, a qcow2 cluster may not', () => {
    const half = bytes.subarray(0, 2048);
    expect(decode('zlib', deflateSync(half), 4096).decoded).toBe(2048);
    for (const encoding of ['deflate', 'zstd'] as const) {
      const encoded = packers[encoding](half);
      expect(() => decode(encoding, encoded, 4096)).toThrow(expect.objectContaining({ code: 'DiskImageCorrupt' }));
    }
  });

  test.each(packed)('%s at the end of the disk: what lies beyond it is dropped', (encoding) => {
    const { decoded, out } = decode(encoding, packers[encoding](bytes), 1500, 4096);
    expect(decoded).toBe(1500);
    expect(out).toEqual(bytes.subarray(0, 1500));
  });
});

describe('zstdFrameBytes', () => {
  test.each([0, 1, 255, 70_000, 300_000])('finds the end of a frame of %i bytes', (length) => {
    for (const content of [Buffer.alloc(length, 1), randomBytes(seededRandom(length), length)]) {
      const frame = zstdCompressSync(content);
      expect(zstdFrameBytes(Buffer.concat([frame, Buffer.alloc(99)]))).toBe(frame.length);
      expect(() => zstdFrameBytes(frame.subarray(0, -1))).toThrow(RangeError);
    }
  });

  test('a frame that needs a dictionary is refused', () => {
    const frame = Buffer.from(zstdCompressSync(bytes));
    frame[4] = (frame[4] ?? 0) | 1;
    expect(() => zstdFrameBytes(frame)).toThrow('dictionary');
  });
});
