import { deflateSync } from 'node:zlib';
import { ProblemError } from '../domain/problems.ts';
import type { DiskFiles } from '../ports/image-file.ts';
import { MemoryImageFile } from './memory-image-file.ts';

const SECTOR = 512;

export interface SparseSpec {
  readonly virtualSizeBytes: number;
  /** Content by grain index, in the order in which the grains lie in the file. Short content is filled up with zeroes. */
  readonly grains: ReadonlyMap<number, Uint8Array>;
  /** Grains that the tables mark as zeroed. */
  readonly zeroed?: readonly number[];
  readonly grainBytes?: number;
  readonly entriesPerTable?: number;
  /** Compressed, with markers. */
  readonly compressed?: boolean;
  /** `front`: all tables before the data. `behind`: each behind its last grain (VMware). `end`: all behind the data (VirtualBox, oVirt). */
  readonly tables?: 'front' | 'behind' | 'end';
  /** With tables behind the data: name the directory in the header instead of a footer. */
  readonly directoryInHeader?: boolean;
  readonly hasEndMarker?: boolean;
  /** Replaces the embedded descriptor; empty for none. */
  readonly descriptor?: string;
}

export interface BuiltSparse {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** File offset by grain index. */
  readonly grainAt: ReadonlyMap<number, number>;
  /** File offset by table index. */
  readonly tableAt: ReadonlyMap<number, number>;
  readonly directoryAt: number;
  readonly footerAt: number;
}

/** Builds sparse extents of any layout, also such as no writer makes, for tests that damage them. */
export function buildSparse(spec: SparseSpec): BuiltSparse {
  const { grainBytes = 65_536, entriesPerTable = 512, tables = 'front', compressed = false } = spec;
  const tableCount = Math.ceil(spec.virtualSizeBytes / (grainBytes * entriesPerTable));
  const entries = new Map<number, Uint32Array>();
  const tableOf = (grain: number) => {
    const index = Math.floor(grain / entriesPerTable);
    const table = entries.get(index) ?? new Uint32Array(entriesPerTable);
    entries.set(index, table);
    return table;
  };
  for (const grain of spec.zeroed ?? []) tableOf(grain)[grain % entriesPerTable] = 1;
  for (const grain of spec.grains.keys()) tableOf(grain);

  const parts: Uint8Array[] = [new Uint8Array(21 * SECTOR)];
  let at = 21 * SECTOR;
  const put = (bytes: Uint8Array) => {
    const start = at;
    const padded = new Uint8Array(Math.ceil(bytes.length / SECTOR) * SECTOR);
    padded.set(bytes);
    parts.push(padded);
    at += padded.length;
    return start;
  };
  const tableAt = new Map<number, number>();
  const putTable = (index: number) => {
    const table = entries.get(index) ?? new Uint32Array(entriesPerTable);
    const bytes = new Uint8Array(table.buffer);
    if (tables !== 'front' && compressed) put(metadataMarker(1, Math.ceil(bytes.length / SECTOR)));
    tableAt.set(index, put(bytes));
  };

  let directoryAt = 0;
  const directory = new Uint32Array(tableCount);
  if (tables === 'front') {
    directoryAt = put(new Uint8Array(directory.buffer));
    for (const index of [...entries.keys()].sort((one, two) => one - two)) putTable(index);
  }
  const overhead = at;

  const grainAt = new Map<number, number>();
  const left = new Map<number, number>();
  for (const grain of spec.grains.keys()) {
    const index = Math.floor(grain / entriesPerTable);
    left.set(index, (left.get(index) ?? 0) + 1);
  }
  for (const [grain, content] of spec.grains) {
    const whole = new Uint8Array(compressed ? grainBytes : Math.max(content.length, grainBytes));
    whole.set(content.subarray(0, whole.length));
    const start = put(compressed ? markedGrain((grain * grainBytes) / SECTOR, deflateSync(whole)) : whole);
    grainAt.set(grain, start);
    tableOf(grain)[grain % entriesPerTable] = start / SECTOR;
    const index = Math.floor(grain / entriesPerTable);
    left.set(index, (left.get(index) ?? 0) - 1);
    if (tables === 'behind' && left.get(index) === 0) putTable(index);
  }
  if (tables === 'end') for (const index of entries.keys()) putTable(index);
  for (const [index, start] of tableAt) directory[index] = start / SECTOR;

  let footerAt = 0;
  if (tables !== 'front') {
    if (compressed) put(metadataMarker(2, Math.ceil((tableCount * 4) / SECTOR)));
    directoryAt = put(new Uint8Array(directory.buffer));
  }
  const headerOf = (directorySector: bigint) =>
    sparseHeader({ ...spec, grainBytes, entriesPerTable, compressed, directorySector, overhead });
  const hasFooter = tables !== 'front' && !spec.directoryInHeader;
  if (hasFooter) {
    put(metadataMarker(3, 1));
    footerAt = put(headerOf(BigInt(directoryAt / SECTOR)));
  }
  if (spec.hasEndMarker ?? (compressed || hasFooter)) put(metadataMarker(0, 0));

  const bytes = new Uint8Array(Buffer.concat(parts));
  bytes.set(headerOf(hasFooter ? 2n ** 64n - 1n : BigInt(directoryAt / SECTOR)));
  const sectors = spec.virtualSizeBytes / SECTOR;
  const text =
    spec.descriptor ??
    `# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType="${compressed ? 'streamOptimized' : 'monolithicSparse'}"\nRW ${sectors} SPARSE "x.vmdk"\n`;
  bytes.set(new TextEncoder().encode(text), SECTOR);
  if (tables === 'front') {
    bytes.set(new Uint8Array(directory.buffer), directoryAt);
    for (const [index, start] of tableAt) bytes.set(new Uint8Array(tableOf(index * entriesPerTable).buffer), start);
  }
  return { bytes, grainAt, tableAt, directoryAt, footerAt };
}

/** The disk that a well-formed spec describes. */
export function contentOf({ virtualSizeBytes, grains, grainBytes = 65_536 }: SparseSpec): Buffer {
  const disk = Buffer.alloc(virtualSizeBytes);
  for (const [grain, bytes] of grains)
    disk.set(bytes.subarray(0, virtualSizeBytes - grain * grainBytes), grain * grainBytes);
  return disk;
}

export function markedGrain(sector: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + payload.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(sector), true);
  view.setUint32(8, payload.length, true);
  bytes.set(payload, 12);
  return bytes;
}

export function metadataMarker(type: number, sectors: number): Uint8Array {
  const bytes = new Uint8Array(SECTOR);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(sectors), true);
  view.setUint32(12, type, true);
  return bytes;
}

/** An image in memory and its neighbours by name. Everything opened is kept in `opened`, so that tests can see what was disposed. */
export class MemoryDiskFiles implements DiskFiles {
  readonly main: MemoryImageFile;
  readonly opened: MemoryImageFile[];
  readonly #files: ReadonlyMap<string, Uint8Array>;
  readonly #options: { readonly ranged?: boolean; readonly pieceBytes?: number };

  constructor(
    main: Uint8Array,
    options: { ranged?: boolean; pieceBytes?: number; neighbours?: Readonly<Record<string, Uint8Array>> } = {},
  ) {
    const { neighbours = {}, ...rest } = options;
    this.#files = new Map(Object.entries(neighbours));
    this.#options = rest;
    this.main = new MemoryImageFile(main, { ...rest, name: 'disk.vmdk' });
    this.opened = [this.main];
  }

  async open(name: string): Promise<MemoryImageFile> {
    const bytes = this.#files.get(name);
    if (!bytes) throw new ProblemError('DiskFileMissing', `${name} is not there`);
    const file = new MemoryImageFile(bytes, { ...this.#options, name });
    this.opened.push(file);
    return file;
  }
}

function sparseHeader(spec: {
  virtualSizeBytes: number;
  grainBytes: number;
  entriesPerTable: number;
  compressed: boolean;
  directorySector: bigint;
  overhead: number;
  descriptor?: string;
}): Uint8Array {
  const bytes = new Uint8Array(SECTOR);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode('KDMV'));
  view.setUint32(4, spec.compressed ? 3 : 1, true);
  view.setUint32(8, spec.compressed ? 0x3_0005 : 5, true);
  view.setBigUint64(12, BigInt(spec.virtualSizeBytes / SECTOR), true);
  view.setBigUint64(20, BigInt(spec.grainBytes / SECTOR), true);
  view.setBigUint64(28, spec.descriptor === '' ? 0n : 1n, true);
  view.setBigUint64(36, spec.descriptor === '' ? 0n : 20n, true);
  view.setUint32(44, spec.entriesPerTable, true);
  view.setBigUint64(56, spec.directorySector, true);
  view.setBigUint64(64, BigInt(spec.overhead / SECTOR), true);
  bytes.set([0x0a, 0x20, 0x0d, 0x0a], 73);
  view.setUint16(77, spec.compressed ? 1 : 0, true);
  return bytes;
}
