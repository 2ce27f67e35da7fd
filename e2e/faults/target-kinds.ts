import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FaultSample } from './fault-sample.ts';

/** Something that receives the disk. A new kind of target is one row. */
export interface TargetKind {
  readonly name: string;
  /** Whether its disk is written through a Storage, which can be spoilt and lose power. */
  readonly hasStorage: boolean;
  /** `--to`, for a folder of the case's own. */
  readonly url: (out: string) => string;
  /** Makes what has to be there before. */
  readonly prepare?: (out: string, sample: FaultSample) => void;
  /** Where the finished disk lies, and while it is being written. */
  readonly diskPath: (out: string) => string;
  readonly partialDiskPath: (out: string) => string;
  /** What the folders hold when the import is finished: the listing by folder. */
  readonly finished: (out: string) => Readonly<Record<string, readonly string[]>>;
  /** Names in `out` that an import that is to be continued may leave, and folders in it to look into for what nobody may leave. */
  readonly leftovers: RegExp;
  readonly partialFolders: (out: string) => readonly string[];
  /** Throws unless the finished disk, as it lies in the file at `path`, is the sample. */
  readonly compare: (path: string, sample: FaultSample) => void;
}

const DOCUMENTS = ['machine.yaml', 'report.json', 'report.md'];

function compareRaw(path: string, sample: FaultSample): void {
  compareBytes(path, readFileSync(path), sample);
}

function compareBytes(path: string, bytes: Uint8Array, sample: FaultSample): void {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (sha256 !== sample.sha256) throw new Error(`WRONG DISK: ${path} has SHA-256 ${sha256}, not ${sample.sha256}`);
}

/** By QEMU, whose word about qcow2 is worth more than ours. */
function compareQcow2(path: string, sample: FaultSample): void {
  // A disk that is longer by zeroes would compare as equal.
  const virtualSizeBytes = Number(readFileSync(path).readBigUInt64BE(24));
  if (virtualSizeBytes !== sample.content.length) throw new Error(`WRONG DISK: ${path} has ${virtualSizeBytes} bytes`);
  askQemu(['compare', '-f', 'qcow2', '-F', 'raw', path, sample.rawPath]);
  // Counts that are wrong do not show in the content; but a guest that writes would overwrite what counts as free.
  askQemu(['check', '-f', 'qcow2', path]);
}

function askQemu(args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync('qemu-img', args, { encoding: 'utf8' });
  if (status === 0) return;
  throw new Error(`WRONG DISK: qemu-img ${args.join(' ')} ends with ${status}: ${`${stdout}${stderr}`.slice(0, 500)}`);
}

function dirTarget(name: string, format: 'raw' | 'qcow2', options: string): TargetKind {
  const file = `disk-0.${format}`;
  return {
    name,
    hasStorage: true,
    url: (out) => `dir:${out}?format=${format}${options}`,
    diskPath: (out) => join(out, 'vm', file),
    partialDiskPath: (out) => join(out, 'vm.partial', 'machine', file),
    finished: (out) => ({ [out]: ['vm'], [join(out, 'vm')]: [file, ...DOCUMENTS] }),
    leftovers: /^vm\.partial$/,
    partialFolders: (out) => [join(out, 'vm.partial')],
    compare: format === 'raw' ? compareRaw : compareQcow2,
  };
}

const DEVICE_EXTRA_BYTES = 3 * 512;

/** A file in the place of a device, full of what somebody left there, and a little larger than the disk. */
const deviceTarget: TargetKind = {
  name: 'device',
  hasStorage: false,
  url: (out) => `device:${deviceOf(out)}?state=${out}`,
  prepare: (out, { content }) =>
    writeFileSync(deviceOf(out), Buffer.alloc(content.length + DEVICE_EXTRA_BYTES, 'old data ')),
  diskPath: deviceOf,
  partialDiskPath: deviceOf,
  finished: (out) => ({ [out]: DOCUMENTS }),
  leftovers: /^(devices|disk-0)\.state$/,
  partialFolders: (out) => [out],
  compare(path, sample) {
    const bytes = readFileSync(path);
    compareBytes(path, bytes.subarray(0, sample.content.length), sample);
    const behind = Buffer.alloc(bytes.length, 'old data ').subarray(sample.content.length);
    if (!bytes.subarray(sample.content.length).equals(behind))
      throw new Error(`WRONG DISK: ${path} is changed behind its end`);
  },
};

function deviceOf(out: string): string {
  return `${out}-device`;
}

export const targetKinds: readonly TargetKind[] = [
  dirTarget('raw', 'raw', ''),
  dirTarget('qcow2', 'qcow2', ''),
  dirTarget('qcow2 zstd', 'qcow2', '&compression=zstd'),
  deviceTarget,
];
