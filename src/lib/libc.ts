import { fstatSync } from 'node:fs';
import koffi from 'koffi';

/**
 * The few system calls that Node lacks, on file descriptors. Each does without the system's libc where it cannot be called: it then says so, and the caller takes the longer way.
 * Numbers are those of Linux (include/uapi/linux/{fs,falloc,fadvise}.h), the same on x64 and arm64; elsewhere nothing is called.
 */
export interface Libc {
  /** For people: `used`, or why not. */
  readonly state: string;
  /** Where data begins at or after `offset`; undefined when there is none up to the end. Without libc everything is data. */
  seekData(descriptor: number, offset: number): number | undefined;
  /** Where a hole begins at or after `offset`, at the latest at the end of the file. */
  seekHole(descriptor: number, offset: number): number;
  /** Asks the system to forget what it holds of a file in memory, so that the next read comes from the storage; what is not yet flushed stays. False when it was not done. */
  dropCache(descriptor: number, offset: number, length: number): boolean;
  /** Begins to write to storage what was written to memory, without waiting. False when it was not done. */
  startWriteback(descriptor: number, offset: number, length: number): boolean;
  /** Makes a range read as zeroes and gives its space back, without changing the size. `unsupported`: nothing was changed. @throws Error with the system's `code` */
  punchHole(descriptor: number, offset: number, length: number): 'done' | 'unsupported';
  /** Makes a range read as zeroes and keeps its space. */
  zeroRange(descriptor: number, offset: number, length: number): 'done' | 'unsupported';
  /** Size of a block device; undefined for anything else. */
  deviceSizeBytes(descriptor: number): number | undefined;
  /** Smallest unit that a block device reads or writes; undefined for anything else. */
  logicalBlockBytes(descriptor: number): number | undefined;
  /** Tells a block device that a range is not needed; what it reads as afterwards is the device's affair. */
  discard(descriptor: number, offset: number, length: number): 'done' | 'unsupported';
  /** Has a block device zero a range by itself. */
  zeroOut(descriptor: number, offset: number, length: number): 'done' | 'unsupported';
}

const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const POSIX_FADV_DONTNEED = 4;
const SYNC_FILE_RANGE_WRITE = 2;
const FALLOC_FL_KEEP_SIZE = 1;
const FALLOC_FL_PUNCH_HOLE = 2;
const FALLOC_FL_ZERO_RANGE = 16;
const BLKSSZGET = 0x1268;
const BLKDISCARD = 0x1277;
const BLKZEROOUT = 0x127f;
const BLKGETSIZE64 = 0x80081272;

const { ENXIO, EINVAL, EOPNOTSUPP, ENOSYS, ENOTTY } = koffi.os.errno as Readonly<Record<string, number>>;

/** What is called, with the C library's own names; each returns -1 (or, posix_fadvise, an error number) on failure. */
export interface LibcFunctions {
  lseek(descriptor: number, offset: number, whence: number): number;
  posix_fadvise(descriptor: number, offset: number, length: number, advice: number): number;
  sync_file_range(descriptor: number, offset: number, length: number, flags: number): number;
  fallocate(descriptor: number, mode: number, offset: number, length: number): number;
  ioctl(descriptor: number, request: number, argument: Uint8Array): number;
  errno(): number;
}

/** @param functions undefined for a system whose libc cannot be called */
export function createLibc(functions: LibcFunctions | undefined, why = 'not used'): Libc {
  if (functions === undefined) return withoutLibc(why);
  const { errno } = functions;
  const fallocate = (mode: number, call: string) => (descriptor: number, offset: number, length: number) =>
    outcome(functions.fallocate(descriptor, mode | FALLOC_FL_KEEP_SIZE, offset, length), errno, call);
  const onRange = (request: number, call: string) => (descriptor: number, offset: number, length: number) => {
    const range = Buffer.alloc(16);
    range.writeBigUInt64LE(BigInt(offset), 0);
    range.writeBigUInt64LE(BigInt(length), 8);
    return outcome(functions.ioctl(descriptor, request, range), errno, call);
  };
  return {
    state: 'used',
    seekData(descriptor, offset) {
      const at = functions.lseek(descriptor, offset, SEEK_DATA);
      if (at >= 0) return at;
      return errno() === ENXIO ? undefined : offset;
    },
    seekHole(descriptor, offset) {
      const at = functions.lseek(descriptor, offset, SEEK_HOLE);
      return at >= 0 ? at : fstatSync(descriptor).size;
    },
    dropCache: (descriptor, offset, length) =>
      functions.posix_fadvise(descriptor, offset, length, POSIX_FADV_DONTNEED) === 0,
    startWriteback: (descriptor, offset, length) =>
      functions.sync_file_range(descriptor, offset, length, SYNC_FILE_RANGE_WRITE) === 0,
    punchHole: fallocate(FALLOC_FL_PUNCH_HOLE, 'fallocate(PUNCH_HOLE)'),
    zeroRange: fallocate(FALLOC_FL_ZERO_RANGE, 'fallocate(ZERO_RANGE)'),
    deviceSizeBytes(descriptor) {
      const size = Buffer.alloc(8);
      return functions.ioctl(descriptor, BLKGETSIZE64, size) === 0 ? Number(size.readBigUInt64LE()) : undefined;
    },
    logicalBlockBytes(descriptor) {
      const size = Buffer.alloc(4);
      return functions.ioctl(descriptor, BLKSSZGET, size) === 0 ? size.readUInt32LE() : undefined;
    },
    discard: onRange(BLKDISCARD, 'ioctl(BLKDISCARD)'),
    zeroOut: onRange(BLKZEROOUT, 'ioctl(BLKZEROOUT)'),
  };
}

function withoutLibc(why: string): Libc {
  return {
    state: why,
    seekData: (descriptor, offset) => (offset < fstatSync(descriptor).size ? offset : undefined),
    seekHole: (descriptor) => fstatSync(descriptor).size,
    dropCache: () => false,
    startWriteback: () => false,
    punchHole: () => 'unsupported',
    zeroRange: () => 'unsupported',
    deviceSizeBytes: () => undefined,
    logicalBlockBytes: () => undefined,
    discard: () => 'unsupported',
    zeroOut: () => 'unsupported',
  };
}

function outcome(result: number, errno: () => number, call: string): 'done' | 'unsupported' {
  if (result === 0) return 'done';
  const number = errno();
  if (number === EOPNOTSUPP || number === ENOSYS || number === EINVAL || number === ENOTTY) return 'unsupported';
  const [code = `errno ${number}`] = Object.entries(koffi.os.errno).find(([, each]) => each === number) ?? [];
  throw Object.assign(new Error(`${code}: ${call}`), { code });
}

/** Undefined with the reason where the system's libc cannot be called. */
function loadFunctions(): LibcFunctions | string {
  if (process.platform !== 'linux') return `not used on ${process.platform}`;
  if (process.arch !== 'x64' && process.arch !== 'arm64') return `not used on ${process.arch}`;
  try {
    // Node itself is linked to it.
    const library = koffi.load(null);
    return {
      lseek: library.func('int64_t lseek(int fd, int64_t offset, int whence)'),
      posix_fadvise: library.func('int posix_fadvise(int fd, int64_t offset, int64_t len, int advice)'),
      sync_file_range: library.func('int sync_file_range(int fd, int64_t offset, int64_t nbytes, unsigned int flags)'),
      fallocate: library.func('int fallocate(int fd, int mode, int64_t offset, int64_t len)'),
      ioctl: library.func('int ioctl(int fd, unsigned long request, _Inout_ uint8_t *argument)'),
      errno: () => koffi.errno(),
    };
  } catch (error) {
    return `not used (${error instanceof Error ? error.message : String(error)})`;
  }
}

const loaded = loadFunctions();

/** This process's own. */
export const libc: Libc = typeof loaded === 'string' ? createLibc(undefined, loaded) : createLibc(loaded);
