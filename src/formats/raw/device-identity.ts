import type { Stats } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Where the kernel says what a block device is, most telling first (sysfs-block in the kernel's ABI documents). */
const ATTRIBUTES = [
  'dm/uuid',
  'md/uuid',
  'wwid',
  'device/wwid',
  'serial',
  'device/serial',
  'device/vpd_pg83',
  'loop/backing_file',
];
const SECTOR_BYTES = 512;

/** What the kernel tells about a block device without opening it. */
export interface DeviceFacts {
  readonly sizeBytes: number | undefined;
  readonly logicalBlockBytes: number | undefined;
  /** Such a device opens for writing all the same; only the first write fails. */
  readonly isReadOnly: boolean;
  /** What stays the same when the device comes back under another name, such as a serial number; undefined where nothing does. */
  readonly identity: string | undefined;
}

const NOTHING: DeviceFacts = {
  sizeBytes: undefined,
  logicalBlockBytes: undefined,
  isReadOnly: false,
  identity: undefined,
};

/**
 * Reads the facts from sysfs. Device names are given out anew at each boot, so that a name alone does not prove that a device is the one an earlier run wrote to.
 * @param root `/sys/dev/block`, or a folder of the same shape
 */
export async function readDeviceFacts({ rdev }: Pick<Stats, 'rdev'>, root = '/sys/dev/block'): Promise<DeviceFacts> {
  const folder = await readWhere(() => realpath(join(root, numbersOf(rdev))));
  if (folder === undefined) return NOTHING;
  const sectors = toCount(await readAttribute(folder, 'size'));
  const partition = await readAttribute(folder, 'partition');
  // A partition has no queue and no serial of its own; those of the disk that it lies on hold for it.
  const whole = partition === undefined ? folder : dirname(folder);
  const identity = await identityOf(whole);
  const start = partition === undefined ? '' : ` partition ${partition} at ${await readAttribute(folder, 'start')}`;
  return {
    sizeBytes: sectors === undefined ? undefined : sectors * SECTOR_BYTES,
    logicalBlockBytes: toCount(await readAttribute(whole, 'queue/logical_block_size')),
    isReadOnly: (await readAttribute(folder, 'ro')) === '1',
    identity: identity === undefined ? undefined : `${identity}${start}`,
  };
}

/** `major:minor` of a device number, as glibc packs them (makedev(3)). */
export function numbersOf(rdev: number): string {
  const major = (rdev >>> 8) & 0xfff;
  const minor = (rdev & 0xff) | ((rdev >>> 12) & 0xfff00);
  return `${major}:${minor}`;
}

async function identityOf(folder: string): Promise<string | undefined> {
  for (const attribute of ATTRIBUTES) {
    const value = await readAttribute(folder, attribute);
    if (value !== undefined) return `${attribute} ${value}`;
  }
  return undefined;
}

async function readAttribute(folder: string, name: string): Promise<string | undefined> {
  const bytes = await readWhere(() => readFile(join(folder, name)));
  if (bytes === undefined) return undefined;
  // Some attributes are pages of a SCSI answer rather than text.
  const isText = bytes.every((byte) => byte >= 0x20 || byte === 0x0a || byte === 0x09);
  const text = isText ? bytes.toString('utf8').trim() : bytes.toString('hex');
  return text === '' ? undefined : text;
}

/** Undefined for what this kind of device does not have, or this kernel does not tell. */
async function readWhere<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) return undefined;
    throw error;
  }
}

function toCount(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}
