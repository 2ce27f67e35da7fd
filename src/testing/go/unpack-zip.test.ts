import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { unpackZip } from './unpack-zip.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'airlift-zip-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('unpackZip', () => {
  test('writes stored and deflated files, leaving out the first parts of their paths', async () => {
    const zip = buildZip([
      { name: 'module@v1/', content: '' },
      { name: 'module@v1/bin/tool', content: 'tool'.repeat(1000), isDeflated: true },
      { name: 'module@v1/README', content: 'read me' },
    ]);
    await unpackZip(zip, folder, { strip: 1 });
    expect(readdirSync(folder).sort()).toEqual(['README', 'bin']);
    expect(readFileSync(join(folder, 'bin/tool'), 'utf8')).toBe('tool'.repeat(1000));
    expect(readFileSync(join(folder, 'README'), 'utf8')).toBe('read me');
  });

  test('refuses a path that leads out of the folder, and writes nothing there', async () => {
    const zip = buildZip([{ name: '../outside', content: 'x' }]);
    await expect(unpackZip(zip, join(folder, 'inside'))).rejects.toThrow('a path outside itself: ../outside');
    expect(readdirSync(folder)).toEqual([]);
  });

  test('an archive without its end is refused', async () => {
    const zip = buildZip([{ name: 'a', content: 'x' }]);
    await expect(unpackZip(zip.subarray(0, -10), folder)).rejects.toThrow('no zip archive');
  });

  test('names a file packed in a way it does not know', async () => {
    const zip = buildZip([{ name: 'a', content: 'x', method: 12 }]);
    await expect(unpackZip(zip, folder)).rejects.toThrow('a is packed by method 12');
  });
});

interface ZipEntry {
  readonly name: string;
  readonly content: string;
  readonly isDeflated?: boolean;
  readonly method?: number;
}

/** Local headers have an extra field that the directory does not, as some writers do. */
function buildZip(entries: readonly ZipEntry[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content, isDeflated = false, method = isDeflated ? 8 : 0 } of entries) {
    const packed = isDeflated ? deflateRawSync(content) : Buffer.from(content);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(method, 4);
    fields.writeUInt32LE(crc32(content), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(content.length, 18);
    fields.writeUInt16LE(Buffer.byteLength(name), 22);
    const extra = Buffer.from([1, 0, 0, 0]);
    const local = Buffer.from(fields);
    local.writeUInt16LE(extra.length, 24);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\0'), fields, place, Buffer.from(name));
    parts.push(Buffer.from('PK\x03\x04'), local, Buffer.from(name), extra, packed);
    offset = Buffer.concat(parts).length;
  }
  const records = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(records.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, records, end]);
}
