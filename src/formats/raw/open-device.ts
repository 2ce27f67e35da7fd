import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { ProblemError } from '../../domain/problems.ts';
import { type Libc, libc } from '../../lib/libc.ts';
import { errorCode, onStorage } from '../storage-problem.ts';
import { readDeviceFacts } from './device-identity.ts';

/** What Node lacks. Where libc cannot be called, sizes come from sysfs and zeroes are written. */
export type DeviceCalls = Pick<Libc, 'punchHole' | 'deviceSizeBytes' | 'logicalBlockBytes'>;

export type DeviceHandle = Pick<FileHandle, 'fd' | 'read' | 'write' | 'sync' | 'stat'>;

/** A block device, or a regular file in its place. */
export interface OpenDevice extends AsyncDisposable {
  readonly path: string;
  /** Where a lane opens it for itself; absent where only this process has it. */
  readonly lanePath?: string;
  readonly handle: DeviceHandle;
  readonly isBlockDevice: boolean;
  readonly sizeBytes: number;
  /** What the device zeroes is a multiple of this. */
  readonly logicalBlockBytes: number;
  /** Tells this device from every other one, whatever its path is. */
  readonly node: string;
  /** What an earlier run must have seen too, or the device is another one. */
  readonly identity: string;
  readonly calls: DeviceCalls;
}

/** Most devices say 512 or 4096; for what does not say the larger one is right as well. */
const COMMON_BLOCK_BYTES = 4096;

/**
 * Opens a device for writing, without changing anything on it. A block device is held until disposed: one that is mounted, or held by another program in the same way, refuses
 * (open(2), O_EXCL without O_CREAT). The system does not hold regular files like that; for them the lock on the state folder must do.
 * @throws ProblemError `TargetBusy`, `TargetNotWritable`, `TargetReadFailed`
 */
export async function openDevice(path: string, calls: DeviceCalls = libc): Promise<OpenDevice> {
  try {
    // Never with O_CREAT: a mistyped name would make a file in /dev, which lies in memory.
    return await openAs(path, constants.O_RDWR | constants.O_EXCL, calls);
  } catch (error) {
    throw problemOfOpening(path, error);
  }
}

/**
 * Opens a device that is only to be read, also while others use it. Undefined when it is missing.
 * @throws ProblemError `TargetReadFailed`, `TargetNotWritable`
 */
export async function openDeviceForReading(path: string, calls: DeviceCalls = libc): Promise<OpenDevice | undefined> {
  try {
    return await openAs(path, constants.O_RDONLY, calls);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    return onStorage('open', path, 'read', () => Promise.reject(error));
  }
}

async function openAs(path: string, flags: number, calls: DeviceCalls): Promise<OpenDevice> {
  // Looked at first: opening a pipe or a tape drive is not without consequences.
  refuseOtherKinds(path, await stat(path));
  const handle = await open(path, flags);
  const isForWriting = (flags & constants.O_RDWR) !== 0;
  try {
    return await describe(path, handle, calls, isForWriting);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function describe(
  path: string,
  handle: FileHandle,
  calls: DeviceCalls,
  isForWriting: boolean,
): Promise<OpenDevice> {
  const stats = await handle.stat();
  refuseOtherKinds(path, stats);
  const facts = stats.isBlockDevice() ? await readDeviceFacts(stats) : undefined;
  if (isForWriting && facts?.isReadOnly) throw new ProblemError('TargetNotWritable', `${path} is read-only`);
  const sizeBytes = facts === undefined ? stats.size : (calls.deviceSizeBytes(handle.fd) ?? facts.sizeBytes);
  if (sizeBytes === undefined) throw new ProblemError('TargetReadFailed', `nothing tells the size of ${path}`);
  const identity = facts === undefined ? `inode ${stats.ino}` : (facts.identity ?? 'without a name of its own');
  return {
    path,
    lanePath: path,
    handle,
    calls,
    isBlockDevice: facts !== undefined,
    sizeBytes,
    logicalBlockBytes: calls.logicalBlockBytes(handle.fd) ?? facts?.logicalBlockBytes ?? COMMON_BLOCK_BYTES,
    node: facts === undefined ? `file ${stats.dev} ${stats.ino}` : `device ${stats.rdev}`,
    identity: `${sizeBytes} bytes, ${identity}`,
    [Symbol.asyncDispose]: () => onStorage('close', path, 'write', () => handle.close()),
  };
}

function refuseOtherKinds(path: string, stats: Stats): void {
  if (stats.isBlockDevice() || stats.isFile()) return;
  throw new ProblemError('TargetNotWritable', `${path} is neither a block device nor a regular file`);
}

function problemOfOpening(path: string, cause: unknown): unknown {
  const code = errorCode(cause);
  if (code === undefined) return cause;
  const options = { cause, context: { path, errno: code } };
  if (code === 'EBUSY') {
    const detail = `${path} is in use: mounted, or held by another program; \`lsblk ${path}\` shows by what`;
    return new ProblemError('TargetBusy', detail, options);
  }
  const reason = code === 'ENOENT' ? `there is no ${path}` : `${path} cannot be opened for writing (${code})`;
  return new ProblemError('TargetNotWritable', reason, options);
}
