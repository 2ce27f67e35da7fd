import { MAX_VIRTUAL_SIZE_BYTES } from '../../domain/digest-layout.ts';
import { ProblemError } from '../../domain/problems.ts';
import { capacityFrom, corrupt, MAX_DESCRIPTOR_BYTES, SECTOR_BYTES } from './layout.ts';

/** What a text descriptor says, whether it is a file of its own or embedded in a sparse extent. */
export interface Descriptor {
  /** As written, such as `monolithicFlat`; empty when not given. */
  readonly createType: string;
  /** Changes with every write session of VMware; `-` when not given. */
  readonly cid: string;
  readonly extents: readonly DescribedExtent[];
  readonly virtualSizeBytes: number;
}

export type DescribedExtent =
  | { readonly kind: 'zero'; readonly sizeBytes: number }
  | { readonly kind: 'sparse'; readonly sizeBytes: number; readonly fileName: string }
  | { readonly kind: 'flat'; readonly sizeBytes: number; readonly fileName: string; readonly fileOffset: number };

/** 64 TiB in pieces of 2 GiB, as twoGbMaxExtent* cuts it. */
const MAX_EXTENTS = 32_768;
const NO_PARENT = 'ffffffff';
const EXTENT_LINE = /^(RW|RDONLY|NOACCESS)\s+(\d+)\s+([A-Z]+)(?:\s+"([^"]*)"(?:\s+(\d+))?)?/i;
const KEY_LINE = /^([A-Za-z0-9_.]+)\s*=\s*(.*)$/;

/**
 * @param name of the file that holds it, for messages
 * @throws ProblemError `DiskHasParent`, `DiskEncrypted`, `DiskFormatUnsupported`, `DiskImageCorrupt`, `DiskTooLarge`, `ArchiveMemberUnsafe`
 */
export function parseDescriptor(bytes: Uint8Array, name: string): Descriptor {
  if (bytes.length > MAX_DESCRIPTOR_BYTES) throw corrupt(name, 'has a descriptor of more than 1 MiB');
  const keys = new Map<string, string>();
  const extents: DescribedExtent[] = [];
  for (const raw of textOf(bytes, name).split(/\r\n|\n|\r/)) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const extent = EXTENT_LINE.exec(line);
    if (extent) {
      if (extents.length === MAX_EXTENTS) throw corrupt(name, `names more than ${MAX_EXTENTS} extents`);
      extents.push(parseExtent(extent, name));
      continue;
    }
    const key = KEY_LINE.exec(line);
    if (key) keys.set((key[1] ?? '').toLowerCase(), (key[2] ?? '').trim().replace(/^"(.*)"$/, '$1'));
  }
  refuseByKeys(keys, name);

  const virtualSizeBytes = extents.reduce((sum, extent) => sum + extent.sizeBytes, 0);
  if (virtualSizeBytes > MAX_VIRTUAL_SIZE_BYTES) {
    throw new ProblemError('DiskTooLarge', `${name} names extents of ${virtualSizeBytes} bytes; the limit is 64 TiB`);
  }
  return { createType: keys.get('createtype') ?? '', cid: keys.get('cid') || '-', extents, virtualSizeBytes };
}

function refuseByKeys(keys: ReadonlyMap<string, string>, name: string): void {
  for (const key of keys.keys()) {
    if (key.startsWith('encryption.') || key === 'keysafe') {
      throw new ProblemError('DiskEncrypted', `${name} has the descriptor key ${key}`);
    }
  }
  const parentCid = (keys.get('parentcid') ?? NO_PARENT).toLowerCase();
  const parent = keys.get('parentfilenamehint');
  if (parentCid !== NO_PARENT || parent) {
    throw new ProblemError(
      'DiskHasParent',
      `${name} holds the changes to ${parent || `the disk with CID ${parentCid}`}`,
    );
  }
}

function parseExtent(match: RegExpExecArray, name: string): DescribedExtent {
  const [, access = '', sectors = '', type = '', fileName, offset = '0'] = match;
  const sizeBytes = capacityFrom(BigInt(sectors), `an extent that ${name} names`);
  const kind = type.toUpperCase();
  if (kind === 'VMFSSPARSE') {
    throw new ProblemError('DiskHasParent', `${name} names the snapshot file ${fileName ?? ''} (${kind})`);
  }
  if (!['ZERO', 'SPARSE', 'FLAT', 'VMFS'].includes(kind)) {
    throw new ProblemError(
      'DiskFormatUnsupported',
      `${name} names an extent of type ${kind}, which is no file to read`,
    );
  }
  if (access.toUpperCase() === 'NOACCESS') {
    throw new ProblemError('DiskFormatUnsupported', `${name} names an extent that may not be accessed`);
  }
  if (kind === 'ZERO') return { kind: 'zero', sizeBytes };

  if (!fileName) throw corrupt(name, `names an extent of type ${kind} without a file`);
  refusePath(fileName, name);
  if (kind === 'SPARSE') return { kind: 'sparse', sizeBytes, fileName };
  const fileOffset = Number(offset) * SECTOR_BYTES;
  if (fileOffset > Number.MAX_SAFE_INTEGER / 2) throw corrupt(name, `names an extent at sector ${offset}`);
  return { kind: 'flat', sizeBytes, fileName, fileOffset };
}

/** Extents lie beside their descriptor; a name with a path would read any file of this machine. */
function refusePath(fileName: string, name: string): void {
  const isPlain = !/[/\\]/.test(fileName) && fileName !== '.' && fileName !== '..';
  if (!isPlain || hasControlCharacter(fileName)) {
    throw new ProblemError(
      'ArchiveMemberUnsafe',
      `${name} names the extent ${JSON.stringify(fileName)}; only files in the same folder are read`,
    );
  }
}

function hasControlCharacter(text: string): boolean {
  return [...text].some((character) => character < ' ');
}

/** Embedded descriptors are padded with NUL. `encoding` tells how file names are written; everything else is ASCII. */
function textOf(bytes: Uint8Array, name: string): string {
  const end = bytes.indexOf(0);
  const used = end < 0 ? bytes : bytes.subarray(0, end);
  if (used.every((byte) => byte < 0x80)) return new TextDecoder('latin1').decode(used);
  const ascii = new TextDecoder('latin1').decode(used);
  const encoding = /^\s*encoding\s*=\s*"?([\w.:-]+)/im.exec(ascii)?.[1] ?? 'utf-8';
  try {
    return new TextDecoder(encoding).decode(used);
  } catch (cause) {
    throw new ProblemError('DiskFormatUnsupported', `${name} is written in the encoding ${encoding}`, { cause });
  }
}
