import { ProblemError } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { DiskReader } from '../ports/disk-reader.ts';
import type { DiskFiles, ImageFile } from '../ports/image-file.ts';
import { isQcow2 } from './qcow2/layout.ts';
import { openQcow2 } from './qcow2/open-qcow2.ts';
import { openRaw } from './raw/open-raw.ts';
import { isVmdk } from './vmdk/layout.ts';
import { openVmdk } from './vmdk/open-vmdk.ts';

export interface OpenDiskImageOptions extends CallOptions {
  /** What the source's description says the disk has. */
  readonly virtualSizeBytes?: number | undefined;
  /** The source's own name of the format, such as an OVF format URI. */
  readonly declaredFormat?: string | undefined;
}

/**
 * Opens a disk image of whatever format it is. Formats with a magic are told by it, except where the description says `raw`: the guest writes the first
 * bytes of a raw disk and could make it look like anything. Raw has no magic, so it is taken only where something speaks for it: the description, the file
 * name, or a length that is the disk's to the byte. Disposing the reader disposes `files.main`; so does a failure to open.
 * @throws ProblemError `DiskFormatUnknown`, and those of the formats and the source
 */
export async function openDiskImage(files: DiskFiles, options: OpenDiskImageOptions = {}): Promise<DiskReader> {
  const { main } = files;
  const call: CallOptions = { signal: options.signal };
  let head: Uint8Array;
  try {
    head = await main.readHead(call);
    if (!isDeclaredRaw(options.declaredFormat)) {
      const foreign = nameForeignFormat(head) ?? (await nameTrailingFormat(main, call));
      if (foreign !== undefined) throw unknown(main.name, `is ${foreign}`);
    }
  } catch (error) {
    await main[Symbol.asyncDispose]();
    throw error;
  }
  if (!isDeclaredRaw(options.declaredFormat)) {
    if (isVmdk(head)) return await openVmdk(files, call);
    if (isQcow2(head)) return await openQcow2(files, call);
    if (!looksRaw(main, options)) {
      await main[Symbol.asyncDispose]();
      throw unknown(main.name, describeUnknown(main, options));
    }
  }
  const { virtualSizeBytes } = options;
  return await openRaw(files, { ...call, ...(virtualSizeBytes === undefined ? {} : { virtualSizeBytes }) });
}

/** True when something about the first bytes or the name says that this is a disk image, ours or not. */
export function isDiskImage(name: string, head: Uint8Array): boolean {
  return (
    isVmdk(head) || isQcow2(head) || nameForeignFormat(head) !== undefined || /\.(vmdk|qcow2?|raw|img)$/i.test(name)
  );
}

/** oVirt names raw disks by the encyclopedia's article on bytes. */
function isDeclaredRaw(format: string | undefined): boolean {
  return format !== undefined && /(^|[^a-z])raw$|\/wiki\/byte$/i.test(format.trim());
}

function looksRaw(main: ImageFile, { declaredFormat, virtualSizeBytes }: OpenDiskImageOptions): boolean {
  if (/\.(raw|img)(\.gz)?$/i.test(main.name)) return true;
  const isNamed = declaredFormat !== undefined && /vmdk|qcow|vhd|vdi/i.test(declaredFormat);
  return !isNamed && virtualSizeBytes !== undefined && main.sizeBytes === virtualSizeBytes;
}

function describeUnknown(main: ImageFile, { declaredFormat, virtualSizeBytes }: OpenDiskImageOptions): string {
  const size = main.sizeBytes === undefined ? '' : ` of ${main.sizeBytes} bytes`;
  const disk = virtualSizeBytes === undefined ? '' : ` for a disk of ${virtualSizeBytes}`;
  const declared =
    declaredFormat === undefined ? '' : `; the descriptor says ${JSON.stringify(declaredFormat.slice(0, 200))}`;
  return `begins like no format we know and is not named or declared raw${size}${disk}${declared}`;
}

/** Formats that can be named but not read, by their magic: offset, bytes, name. */
const FOREIGN: readonly (readonly [number, string, string])[] = [
  [0, 'vhdxfile', 'a VHDX image'],
  [0, 'conectix', 'a VHD image'],
  [0, 'QED\0', 'a QED image'],
  [0, 'WithoutFreeSpace', 'a Parallels image'],
  [0, 'WithouFreSpacExt', 'a Parallels image'],
  [0, 'LUKS\u00ba\u00be', 'an encrypted LUKS volume'],
  [0, '\u001f\u008b', 'compressed with gzip'],
  [0, '\u00fd7zXZ\0', 'compressed with xz'],
  [0, '(\u00b5/\u00fd', 'compressed with zstd'],
  [0, 'BZh', 'compressed with bzip2'],
  [0, 'PK\u0003\u0004', 'a ZIP archive'],
  [0, '7z\u00bc\u00af\u0027\u001c', 'a 7-Zip archive'],
  [64, '\u007f\u0010\u00da\u00be', 'a VirtualBox VDI image'],
  [0x8001, 'CD001', 'an ISO 9660 image'],
];

function nameForeignFormat(head: Uint8Array): string | undefined {
  const found = FOREIGN.find(([offset, magic]) =>
    [...magic].every((character, index) => head[offset + index] === character.charCodeAt(0)),
  );
  return found?.[2];
}

/** A fixed VHD is a raw disk with a footer: taken for raw it would grow by a sector. */
async function nameTrailingFormat(main: ImageFile, call: CallOptions): Promise<string | undefined> {
  const { sizeBytes = 0 } = main;
  if (!main.read || sizeBytes < 1024 || sizeBytes % 512 !== 0 || !/\.(raw|img|vhd)$/i.test(main.name)) return undefined;
  const footer = await main.read(sizeBytes - 512, 8, call);
  return Buffer.from(footer).toString('latin1') === 'conectix' ? 'a VHD image of fixed size' : undefined;
}

function unknown(name: string, what: string): ProblemError {
  return new ProblemError('DiskFormatUnknown', `${name} ${what}`);
}
