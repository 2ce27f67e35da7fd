import { describe, expect, test } from 'vitest';
import { parseDescriptor } from './descriptor.ts';

const parse = (text: string) => parseDescriptor(new TextEncoder().encode(text), 'web.vmdk');
const withLines = (...lines: string[]) => parse(['# Disk DescriptorFile', 'version=1', ...lines].join('\n'));
const refusal = (code: string) => expect.objectContaining({ code });

describe('parseDescriptor', () => {
  test('reads keys in any case, quotes, comments, CRLF and all types of extent', () => {
    const text = `\r\n  # Disk DescriptorFile\r\nVERSION=1\r\nCid = 1a2b3c4d\r\nPARENTCID=FFFFFFFF\r\ncreatetype="custom"\r\n
RW 4 FLAT "a-flat.vmdk" 2\r\nrdonly 8 sparse "b.vmdk"\r\nRW 2 ZERO\r\nRW 6 VMFS "c-flat.vmdk"\r\n#RW 9 FLAT "no.vmdk" 0\r\nddb.adapterType = "ide"\r\n`;
    expect(parse(text)).toEqual({
      createType: 'custom',
      cid: '1a2b3c4d',
      virtualSizeBytes: 20 * 512,
      extents: [
        { kind: 'flat', sizeBytes: 2048, fileName: 'a-flat.vmdk', fileOffset: 1024 },
        { kind: 'sparse', sizeBytes: 4096, fileName: 'b.vmdk' },
        { kind: 'zero', sizeBytes: 1024 },
        { kind: 'flat', sizeBytes: 3072, fileName: 'c-flat.vmdk', fileOffset: 0 },
      ],
    });
  });

  test('ends at the first NUL: embedded descriptors are padded', () => {
    expect(parse('# Disk DescriptorFile\nRW 1 ZERO\n\0RW 1 ZERO\n').extents).toHaveLength(1);
  });

  test('file names are read in the encoding it declares', () => {
    const text = Buffer.from('encoding="windows-1252"\nRW 1 FLAT "f\u00fcr.vmdk" 0\n', 'latin1');
    expect(parseDescriptor(text, 'x').extents[0]).toMatchObject({ fileName: 'f\u00fcr.vmdk' });
    const unknown = Buffer.from('encoding="klingon"\nRW 1 FLAT "f\u00fcr.vmdk" 0\n', 'latin1');
    expect(() => parseDescriptor(unknown, 'x')).toThrow(refusal('DiskFormatUnsupported'));
  });

  test.each([
    ['a parent', 'DiskHasParent', 'parentCID=12345678'],
    ['the name of a parent', 'DiskHasParent', 'parentFileNameHint="base.vmdk"'],
    ['a key safe', 'DiskEncrypted', 'encryption.keySafe = "vmware:key/list"'],
    ['an old key safe', 'DiskEncrypted', 'keySafe = "vmware:key/list"'],
    ['a raw device', 'DiskFormatUnsupported', 'RW 9 VMFSRDM "lun-rdm.vmdk"'],
    ['a passed-through device', 'DiskFormatUnsupported', 'RW 9 VMFSRDMP "lun-rdmp.vmdk"'],
    ['a snapshot extent', 'DiskHasParent', 'RW 9 VMFSSPARSE "web-000001-delta.vmdk"'],
    ['a seSparse extent', 'DiskFormatUnsupported', 'RW 9 SESPARSE "web-sesparse.vmdk"'],
    ['an extent without access', 'DiskFormatUnsupported', 'NOACCESS 9 FLAT "a.vmdk" 0'],
    ['an extent without a file', 'DiskImageCorrupt', 'RW 9 FLAT'],
    ['an extent of 0 sectors', 'DiskImageCorrupt', 'RW 0 ZERO'],
    ['an extent at 2^63', 'DiskImageCorrupt', 'RW 9 FLAT "a.vmdk" 9223372036854775808'],
    ['an extent of 2^63 sectors', 'DiskTooLarge', 'RW 9223372036854775808 ZERO'],
    ['an extent of a thousand digits', 'DiskTooLarge', `RW ${'9'.repeat(1000)} ZERO`],
    ['an absolute path', 'ArchiveMemberUnsafe', 'RW 9 FLAT "/etc/shadow" 0'],
    ['a way out of the folder', 'ArchiveMemberUnsafe', 'RW 9 FLAT "../other.vmdk" 0'],
    ['a Windows path', 'ArchiveMemberUnsafe', 'RW 9 FLAT "C:\\disk.vmdk" 0'],
    ['the folder above', 'ArchiveMemberUnsafe', 'RW 9 SPARSE ".."'],
    ['a control character', 'ArchiveMemberUnsafe', 'RW 9 SPARSE "a\u0007.vmdk"'],
  ])('refuses %s as %s', (_what, code, line) => {
    expect(() => withLines(line)).toThrow(refusal(code));
  });

  test('extents that together pass 64 TiB are too large, also when each is not', () => {
    const half = `RW ${2 ** 36} ZERO`;
    expect(withLines(half, half).virtualSizeBytes).toBe(2 ** 46);
    expect(() => withLines(half, half, 'RW 1 ZERO')).toThrow(refusal('DiskTooLarge'));
  });

  test('more than 1 MiB or 32768 extents is no descriptor', () => {
    expect(() => parseDescriptor(new Uint8Array(2 ** 20 + 1), 'x')).toThrow(refusal('DiskImageCorrupt'));
    expect(() => withLines(...Array.from({ length: 32_769 }, () => 'RW 1 ZERO'))).toThrow(/32768 extents/);
  });
});
