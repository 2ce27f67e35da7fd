import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';
import { afterAll, describe, expect, test } from 'vitest';
import { createLibc, type LibcFunctions, libc } from './libc.ts';

const MIB = 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), 'airlift-libc-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** 8 MiB with data in the third only. */
function withSparseFile<T>(act: (descriptor: number) => T): T {
  const descriptor = openSync(join(folder, 'sparse'), 'w+');
  try {
    ftruncateSync(descriptor, 8 * MIB);
    writeSync(descriptor, Buffer.alloc(MIB, 7), 0, MIB, 2 * MIB);
    fdatasyncSync(descriptor);
    return act(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

describe.runIf(libc.state === 'used')("the system's libc", () => {
  test('finds data and holes', () => {
    withSparseFile((descriptor) => {
      expect(libc.seekData(descriptor, 0)).toBe(2 * MIB);
      expect(libc.seekHole(descriptor, 2 * MIB)).toBe(3 * MIB);
      expect(libc.seekHole(descriptor, 0)).toBe(0);
      expect(libc.seekData(descriptor, 3 * MIB)).toBeUndefined();
      expect(libc.seekHole(descriptor, 7 * MIB)).toBe(7 * MIB);
    });
  });

  test('finds data past 4 GiB', () => {
    const descriptor = openSync(join(folder, 'large'), 'w+');
    try {
      ftruncateSync(descriptor, 2 ** 43);
      writeSync(descriptor, Buffer.alloc(4096, 1), 0, 4096, 2 ** 42);
      expect(libc.seekData(descriptor, 2 ** 33)).toBe(2 ** 42);
    } finally {
      closeSync(descriptor);
    }
  });

  test('gives the space of a range back, whose bytes then are zero', () => {
    withSparseFile((descriptor) => {
      const before = fstatSync(descriptor).blocks;
      expect(libc.punchHole(descriptor, 2 * MIB, MIB / 2)).toBe('done');
      expect(fstatSync(descriptor).blocks).toBeLessThan(before);
      expect(fstatSync(descriptor).size).toBe(8 * MIB);
      const read = Buffer.alloc(MIB);
      readSync(descriptor, read, 0, MIB, 2 * MIB);
      expect(read.subarray(0, MIB / 2).every((byte) => byte === 0)).toBe(true);
      expect(read.subarray(MIB / 2).every((byte) => byte === 7)).toBe(true);
    });
  });

  test('takes advice about what is in memory', () => {
    withSparseFile((descriptor) => {
      expect(libc.startWriteback(descriptor, 0, 8 * MIB)).toBe(true);
      expect(libc.dropCache(descriptor, 0, 8 * MIB)).toBe(true);
    });
  });

  test('a file is no block device', () => {
    withSparseFile((descriptor) => {
      expect(libc.deviceSizeBytes(descriptor)).toBeUndefined();
      expect(libc.logicalBlockBytes(descriptor)).toBeUndefined();
      expect(libc.discard(descriptor, 0, MIB)).toBe('unsupported');
      expect(libc.zeroOut(descriptor, 0, MIB)).toBe('unsupported');
    });
  });

  test('a descriptor that is not open is an error with its code, not "unsupported"', () => {
    expect(() => libc.punchHole(99_999, 0, 4096)).toThrow(expect.objectContaining({ code: 'EBADF' }));
    expect(libc.dropCache(99_999, 0, 4096)).toBe(false);
  });
});

describe('without libc', () => {
  const none = createLibc(undefined, 'not used here');

  test('everything is data, and nothing else is done', () => {
    withSparseFile((descriptor) => {
      expect(none.state).toBe('not used here');
      expect(none.seekData(descriptor, 0)).toBe(0);
      expect(none.seekData(descriptor, 8 * MIB)).toBeUndefined();
      expect(none.seekHole(descriptor, 0)).toBe(8 * MIB);
      expect([none.dropCache(descriptor, 0, 1), none.startWriteback(descriptor, 0, 1)]).toEqual([false, false]);
      const calls = [none.punchHole, none.zeroRange, none.discard, none.zeroOut];
      expect(calls.map((call) => call(descriptor, 0, 512))).toEqual(Array(4).fill('unsupported'));
      expect([none.deviceSizeBytes(descriptor), none.logicalBlockBytes(descriptor)]).toEqual([undefined, undefined]);
    });
  });
});

describe('a file system that cannot', () => {
  function failing(code: string): LibcFunctions {
    const fail = () => -1;
    return {
      lseek: fail,
      posix_fadvise: fail,
      sync_file_range: fail,
      fallocate: fail,
      ioctl: fail,
      errno: () => koffi.os.errno[code] ?? 0,
    };
  }

  test.each(['EOPNOTSUPP', 'ENOSYS', 'EINVAL'])('%s means the longer way', (code) => {
    const refusing = createLibc(failing(code));
    withSparseFile((descriptor) => {
      expect(refusing.punchHole(descriptor, 0, 512)).toBe('unsupported');
      expect(refusing.zeroRange(descriptor, 0, 512)).toBe('unsupported');
      // What cannot be told apart is data.
      expect(refusing.seekData(descriptor, 4096)).toBe(4096);
      expect(refusing.seekHole(descriptor, 4096)).toBe(8 * MIB);
    });
  });

  test.each(['ENOSPC', 'EIO'])('%s is an error', (code) => {
    expect(() => createLibc(failing(code)).punchHole(3, 0, 512)).toThrow(expect.objectContaining({ code }));
  });
});
