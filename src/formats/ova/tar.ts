import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { ImageFile } from '../../ports/image-file.ts';
import type { ByteReader } from '../byte-reader.ts';
import { safeMemberName } from './member-name.ts';
import { ForwardCursor, RangedCursor, type TarCursor, truncated } from './tar-cursor.ts';
import { isZeroBlock, parseTarHeader, TAR_BLOCK_BYTES, type TarHeader, textOf } from './tar-header.ts';
import { parsePaxRecords } from './tar-pax.ts';

/** A regular file in a tar archive. */
export interface TarMember {
  /** Plain file name: directories are taken off, see `safeMemberName`. */
  readonly name: string;
  /** Where the content begins in the archive. */
  readonly offset: number;
  readonly sizeBytes: number;
}

/** A real OVA has a few dozen members; chunked ones a few thousand. */
const MAX_MEMBERS = 4096;
const MAX_HEADERS = 4 * MAX_MEMBERS;
/** Largest extended header or long name we read. */
const MAX_EXTENSION_BYTES = 64 * 1024;

/**
 * Yields the members in order, jumping from header to header: of their content nothing is read but what lies within 64 KiB behind a header.
 * @throws ProblemError `NotAnOva`, `ArchiveTruncated`, `ArchiveCorrupt`, `ArchiveMemberUnsafe`, `ArchiveMemberDuplicate`, and the problems of the source
 * @throws TypeError for a file that cannot be read anywhere or does not know its size
 */
export async function* listTarMembers(file: ImageFile, options: CallOptions = {}): AsyncGenerator<TarMember, void> {
  if (!file.read || file.sizeBytes === undefined) throw new TypeError(`${file.name} can only be read in order`);
  yield* walk(new RangedCursor(file, file.sizeBytes, options), file.name, file.sizeBytes, options);
}

/**
 * Yields the members while a stream goes past. Between two of them the consumer may read the member's content with the same reader, at most to its end;
 * what it leaves is skipped. A member that the archive cuts off is noticed only when it is read or skipped.
 * @param options.name for messages
 * @throws ProblemError as `listTarMembers`
 */
export async function* readTarMembers(
  reader: ByteReader,
  options: CallOptions & { readonly name?: string } = {},
): AsyncGenerator<TarMember, void> {
  yield* walk(new ForwardCursor(reader), options.name ?? 'the archive', undefined, options);
}

async function* walk(
  cursor: TarCursor,
  archive: string,
  sizeBytes: number | undefined,
  { signal }: CallOptions,
): AsyncGenerator<TarMember, void> {
  const names = new Set<string>();
  let next: Extension = {};
  for (let count = 0; ; count += 1) {
    signal?.throwIfAborted();
    const at = `${archive}, header at byte ${cursor.position}`;
    if (count > MAX_HEADERS) throw new ProblemError('ArchiveCorrupt', `${at}: more than ${MAX_HEADERS} headers`);
    const header = await readHeader(cursor, archive, at);
    if (header === undefined) {
      if (isPending(next)) throw truncated(archive, cursor.position, 'after an extended header without its member');
      return;
    }

    const extension = await readExtension(cursor, header, at);
    if (extension) {
      next = { ...next, ...extension };
      continue;
    }
    const offset = cursor.position;
    const member = memberOf(header, next, offset, at);
    next = {};
    if (member) {
      if (names.has(member.name)) {
        throw new ProblemError('ArchiveMemberDuplicate', `${at}: ${JSON.stringify(member.name)} occurs twice`);
      }
      names.add(member.name);
      if (names.size > MAX_MEMBERS) throw new ProblemError('ArchiveCorrupt', `${at}: more than ${MAX_MEMBERS} members`);
      if (sizeBytes !== undefined && offset + member.sizeBytes > sizeBytes) throw cutOff(archive, sizeBytes, member);
      yield member;
      const end = offset + member.sizeBytes;
      if (!(await cursor.moveTo(end))) throw cutOff(archive, cursor.position, member);
      // The last block's padding may be missing like the end marker.
      if (!(await cursor.moveTo(roundUpToBlock(end, offset)))) return;
    }
  }
}

interface Extension {
  readonly path?: string;
  readonly sizeBytes?: number;
  readonly isSparse?: boolean;
}

function isPending(extension: Extension): boolean {
  return Object.keys(extension).length > 0;
}

/** Undefined at the end of the archive: a block of zeroes, as in GNU tar, or the end of the file where writers forgot it. */
async function readHeader(cursor: TarCursor, archive: string, at: string): Promise<TarHeader | undefined> {
  const isFirst = cursor.position === 0;
  const block = await cursor.readUpTo(TAR_BLOCK_BYTES);
  if (isFirst && (block.length < TAR_BLOCK_BYTES || isZeroBlock(block))) {
    throw new ProblemError('NotAnOva', `${archive} does not begin with a tar header`);
  }
  if (isZeroBlock(block)) return undefined;
  if (block.length < TAR_BLOCK_BYTES) throw truncated(archive, cursor.position, 'inside a member header');
  const header = parseTarHeader(block);
  if (!('fault' in header)) return header;
  if (isFirst) throw new ProblemError('NotAnOva', `${archive} does not begin with a tar header: it ${header.fault}`);
  throw new ProblemError('ArchiveCorrupt', `${at} ${header.fault}`);
}

/** Reads headers that only say something about the next member; undefined for any other. */
async function readExtension(cursor: TarCursor, header: TarHeader, at: string): Promise<Extension | undefined> {
  if (!['x', 'g', 'L', 'K'].includes(header.type)) return undefined;
  if (header.sizeBytes > MAX_EXTENSION_BYTES) {
    throw new ProblemError(
      'ArchiveCorrupt',
      `${at}: an extended header of ${header.sizeBytes} bytes; at most ${MAX_EXTENSION_BYTES} are read`,
    );
  }
  const offset = cursor.position;
  const bytes = await cursor.readUpTo(header.sizeBytes);
  const isWhole =
    bytes.length === header.sizeBytes && (await cursor.moveTo(roundUpToBlock(offset + header.sizeBytes, offset)));
  if (!isWhole) throw truncated(at, cursor.position, 'inside an extended header');

  if (header.type === 'L') return { path: textOf(bytes) };
  if (header.type === 'K') return {}; // the name a link points to, and links are refused with their own header
  const records = parsePaxRecords(bytes, at);
  if (header.type === 'x') return records;
  if (records.path !== undefined || records.sizeBytes !== undefined || records.isSparse) {
    throw new ProblemError('ArchiveCorrupt', `${at}: a global header sets the name or size of all members`);
  }
  return {};
}

/** The member that a header begins; undefined for a directory. */
function memberOf(header: TarHeader, extension: Extension, offset: number, at: string): TarMember | undefined {
  const path = extension.path ?? header.name;
  if (header.type === '5') return undefined;
  if (header.type !== '0' && header.type !== '7') {
    throw new ProblemError(
      'ArchiveMemberUnsafe',
      `${at}: ${JSON.stringify(path.slice(0, 200))} is ${describeType(header.type)}`,
    );
  }
  if (extension.isSparse) {
    throw new ProblemError(
      'ArchiveMemberUnsafe',
      `${at}: ${JSON.stringify(path.slice(0, 200))} is stored as a sparse file`,
    );
  }
  const sizeBytes = extension.sizeBytes ?? header.sizeBytes;
  // Before POSIX a directory was a file whose name ends in a slash.
  if (path.endsWith('/') && sizeBytes === 0) return undefined;
  return { name: safeMemberName(path), offset, sizeBytes };
}

function describeType(type: string): string {
  const known: Readonly<Record<string, string>> = {
    '1': 'a hard link',
    '2': 'a symbolic link',
    '3': 'a device',
    '4': 'a device',
    '6': 'a pipe',
    S: 'stored as a sparse file',
  };
  return known[type] ?? `of the unknown type ${JSON.stringify(type)}`;
}

function cutOff(archive: string, position: number, member: TarMember): ProblemError {
  const missing = member.offset + member.sizeBytes - position;
  return truncated(archive, position, `${missing} bytes before its member ${JSON.stringify(member.name)} does`);
}

function roundUpToBlock(end: number, offset: number): number {
  return offset + Math.ceil((end - offset) / TAR_BLOCK_BYTES) * TAR_BLOCK_BYTES;
}
