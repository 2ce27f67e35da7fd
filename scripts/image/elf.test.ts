import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseElf } from './elf.ts';
import { buildElf } from './testing/build-elf.ts';

const parse = (bytes: Buffer) => parseElf(bytes.length, (offset, length) => bytes.subarray(offset, offset + length));

describe('parseElf', () => {
  test('tells processor, loader and libraries in their order', () => {
    const elf = buildElf({
      machine: 183,
      needed: ['libm.so.6', 'libc.so.6'],
      interpreter: '/lib/ld-linux-aarch64.so.1',
    });
    expect(parse(elf)).toEqual({
      machine: 183,
      interpreter: '/lib/ld-linux-aarch64.so.1',
      needed: ['libm.so.6', 'libc.so.6'],
    });
  });

  test('a library has no loader, and one that is linked to nothing needs nothing', () => {
    expect(parse(buildElf({ machine: 62 }))).toEqual({ machine: 62, needed: [] });
  });

  test.each([
    ['a script', Buffer.from(`#!/usr/bin/node\n${'x'.repeat(100)}`)],
    ['an empty file', Buffer.alloc(0)],
    ['the first bytes of an ELF file', buildElf({ machine: 62 }).subarray(0, 63)],
    ['a 32-bit file', Buffer.concat([Buffer.from([0x7f, 0x45, 0x4c, 0x46, 1, 1]), Buffer.alloc(100)])],
    ['a big-endian file', Buffer.concat([Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 2]), Buffer.alloc(100)])],
  ])('%s is none', (_name, bytes) => {
    expect(parse(bytes)).toBeUndefined();
  });

  test.runIf(process.platform === 'linux')('reads the Node that runs this', () => {
    const elf = parse(readFileSync(process.execPath));
    expect(elf?.machine).toBe(process.arch === 'arm64' ? 183 : 62);
    expect(elf?.needed).toContain('libc.so.6');
    expect(elf?.interpreter).toMatch(/^\/lib.*ld-linux/);
  });
});
