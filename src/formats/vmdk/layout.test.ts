import { describe, expect, test } from 'vitest';
import { buildSparse, metadataMarker } from '../../testing/vmdk-builder.ts';
import { isVmdk, parseMarker, parseSparseHeader, vmdkKind } from './layout.ts';

const ascii = (text: string) => new TextEncoder().encode(text);
const built = () => buildSparse({ virtualSizeBytes: 3 * 2 ** 20, grains: new Map(), compressed: true }).bytes;

/** A sound header with some fields overwritten. */
function header(change: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const bytes = built().slice(0, 512);
  change(new DataView(bytes.buffer), bytes);
  return bytes;
}

describe('vmdkKind', () => {
  test.each([
    ['KDMV....', 'sparse'],
    ['# Disk DescriptorFile\nversion=1\n', 'descriptor'],
    ['\r\n  # Disk DescriptorFile\r\nversion=1\r\n', 'descriptor'],
    ['#disk descriptorfile\n', 'descriptor'],
    ['\u{feff}# Disk DescriptorFile\n', 'descriptor'],
    ['COWD\u0001\0\0\0', 'cowd'],
    ['COWD-bytes of something else', undefined],
    ['QFI\u00fb', undefined],
    ['# Disk', undefined],
    ['', undefined],
  ] as const)('takes %j for %s', (text, kind) => {
    expect(vmdkKind(ascii(text))).toBe(kind);
    expect(isVmdk(ascii(text))).toBe(kind !== undefined);
  });

  test('knows seSparse by magic and version', () => {
    const head = Uint8Array.from([0xbe, 0xba, 0xfe, 0xca, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0]);
    expect(vmdkKind(head)).toBe('seSparse');
    expect(vmdkKind(head.fill(9, 8))).toBeUndefined();
  });
});

describe('parseSparseHeader', () => {
  test('gives every offset and size in bytes', () => {
    expect(parseSparseHeader(built(), 'x')).toMatchObject({
      version: 3,
      capacityBytes: 3 * 2 ** 20,
      grainBytes: 65_536,
      entriesPerTable: 512,
      tableBytes: 2048,
      tableCount: 1,
      descriptorOffset: 512,
      descriptorBytes: 10_240,
      directoryOffset: 21 * 512,
      dataOffset: 22 * 512,
      hasZeroedGrains: true,
      isCompressed: true,
    });
  });

  test.each<[string, string, (view: DataView, bytes: Uint8Array) => void]>([
    ['another magic', 'DiskImageCorrupt', (view) => view.setUint32(0, 0)],
    ['version 4', 'DiskFormatUnsupported', (view) => view.setUint32(4, 4, true)],
    ['a text mode transfer', 'DiskImageCorrupt', (_, bytes) => bytes.set([0x0a, 0x20, 0x0a, 0x0a], 73)],
    ['capacity 2^63', 'DiskTooLarge', (view) => view.setBigUint64(12, 2n ** 63n, true)],
    ['capacity beyond 64 TiB', 'DiskTooLarge', (view) => view.setBigUint64(12, 2n ** 37n + 1n, true)],
    ['capacity 0', 'DiskImageCorrupt', (view) => view.setBigUint64(12, 0n, true)],
    ['grains of 129 sectors', 'DiskImageCorrupt', (view) => view.setBigUint64(20, 129n, true)],
    ['grains of 2 KiB', 'DiskImageCorrupt', (view) => view.setBigUint64(20, 4n, true)],
    ['grains of 8 MiB', 'DiskImageCorrupt', (view) => view.setBigUint64(20, 16_384n, true)],
    ['grains of 2^62 sectors', 'DiskImageCorrupt', (view) => view.setBigUint64(20, 2n ** 62n, true)],
    ['no grains', 'DiskImageCorrupt', (view) => view.setBigUint64(20, 0n, true)],
    ['tables without entries', 'DiskImageCorrupt', (view) => view.setUint32(44, 0, true)],
    ['tables of 2^31 entries', 'DiskImageCorrupt', (view) => view.setUint32(44, 2 ** 31, true)],
    ['a descriptor of 2 MiB', 'DiskImageCorrupt', (view) => view.setBigUint64(36, 4096n, true)],
    ['no directory', 'DiskImageCorrupt', (view) => view.setBigUint64(56, 0n, true)],
    ['a directory at 2^60', 'DiskImageCorrupt', (view) => view.setBigUint64(56, 2n ** 60n, true)],
    ['compression 2', 'DiskCompressionUnsupported', (view) => view.setUint16(77, 2, true)],
    ['compression without a method', 'DiskCompressionUnsupported', (view) => view.setUint16(77, 0, true)],
    ['compressed grains without markers', 'DiskFormatUnsupported', (view) => view.setUint32(8, 0x1_0001, true)],
    ['markers without compression', 'DiskImageCorrupt', (view) => view.setUint32(8, 1, true)],
  ])('refuses %s as %s', (_what, code, change) => {
    expect(() => parseSparseHeader(header(change), 'x')).toThrow(expect.objectContaining({ code }));
  });

  test('a file shorter than a header is truncated', () => {
    expect(() => parseSparseHeader(built().subarray(0, 511), 'x')).toThrow(
      expect.objectContaining({ code: 'DiskImageTruncated' }),
    );
  });
});

describe('parseMarker', () => {
  test('tells metadata from grains by the size', () => {
    expect(parseMarker(metadataMarker(2, 7), 'x', 0)).toEqual({ kind: 'metadata', type: 2, payloadBytes: 3584 });
    const grain = metadataMarker(0, 128);
    grain[8] = 9;
    expect(parseMarker(grain, 'x', 0)).toEqual({ kind: 'grain', offset: 65_536, payloadBytes: 9 });
  });

  test('refuses addresses that no number can hold exactly', () => {
    const marker = metadataMarker(1, 1).fill(0xff, 0, 8);
    expect(() => parseMarker(marker, 'x', 4096)).toThrow(/at byte 4096/);
  });
});
