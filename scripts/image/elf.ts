/** What matters of an executable or shared library: for which processor it is, and what has to be there for it to start. */
export interface ElfFile {
  /** e_machine of elf.h. */
  readonly machine: number;
  /** The dynamic loader that starts it; undefined for a library. */
  readonly interpreter?: string;
  /** Names of the libraries it is linked to (DT_NEEDED). */
  readonly needed: readonly string[];
}

/** Gives exactly these bytes of a file. */
export type ReadAt = (offset: number, length: number) => Buffer;

const HEADER_BYTES = 64;
const ELF_MAGIC = 0x7f454c46;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT_NULL = 0;
const DT_NEEDED = 1;
const DT_STRTAB = 5;
const DT_STRSZ = 10;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly fileBytes: number;
}

/** Of a 64-bit little-endian ELF file (System V ABI, chapters 4 and 5), as both our platforms have; undefined for anything else. */
export function parseElf(sizeBytes: number, readAt: ReadAt): ElfFile | undefined {
  if (sizeBytes < HEADER_BYTES) return undefined;
  const header = readAt(0, HEADER_BYTES);
  if (header.readUInt32BE(0) !== ELF_MAGIC || header[4] !== CLASS_64 || header[5] !== LITTLE_ENDIAN) return undefined;
  const segments = parseSegments(header, readAt);
  const interpreter = segments.find(({ type }) => type === PT_INTERP);
  return {
    machine: header.readUInt16LE(18),
    ...(interpreter && { interpreter: readString(readAt(interpreter.offset, interpreter.fileBytes), 0) }),
    needed: parseNeeded(segments, readAt),
  };
}

function parseSegments(header: Buffer, readAt: ReadAt): readonly Segment[] {
  const start = Number(header.readBigUInt64LE(32));
  const entryBytes = header.readUInt16LE(54);
  const table = readAt(start, entryBytes * header.readUInt16LE(56));
  return Array.from({ length: header.readUInt16LE(56) }, (_, index) => {
    const at = index * entryBytes;
    return {
      type: table.readUInt32LE(at),
      offset: Number(table.readBigUInt64LE(at + 8)),
      address: Number(table.readBigUInt64LE(at + 16)),
      fileBytes: Number(table.readBigUInt64LE(at + 32)),
    };
  });
}

function parseNeeded(segments: readonly Segment[], readAt: ReadAt): readonly string[] {
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  if (dynamic === undefined) return [];
  const table = readAt(dynamic.offset, dynamic.fileBytes);
  const values = (wanted: number): number[] => {
    const found: number[] = [];
    for (let at = 0; at + 16 <= table.length; at += 16) {
      const tag = Number(table.readBigInt64LE(at));
      if (tag === DT_NULL) break;
      if (tag === wanted) found.push(Number(table.readBigUInt64LE(at + 8)));
    }
    return found;
  };
  const [address] = values(DT_STRTAB);
  const [length] = values(DT_STRSZ);
  if (address === undefined || length === undefined) return [];
  // The table of strings is named by the address it will have in memory.
  const home = segments.find(
    (each) => each.type === PT_LOAD && address >= each.address && address < each.address + each.fileBytes,
  );
  if (home === undefined) throw new Error('an ELF file whose table of strings lies in no segment');
  const strings = readAt(home.offset + address - home.address, length);
  return values(DT_NEEDED).map((at) => readString(strings, at));
}

function readString(bytes: Buffer, start: number): string {
  const end = bytes.indexOf(0, start);
  return bytes.toString('latin1', start, end < 0 ? bytes.length : end);
}
