import { ProblemError } from '../../domain/problems.ts';

/** What an extended header (POSIX.1-2001 pax, type `x`) says about the member after it. */
export interface PaxRecords {
  readonly path?: string;
  readonly sizeBytes?: number;
  readonly isSparse: boolean;
}

/**
 * Records are `<length> <key>=<value>\n`, where the length counts the whole record.
 * @param at where the header lies, for messages
 * @throws ProblemError `ArchiveCorrupt`
 */
export function parsePaxRecords(bytes: Uint8Array, at: string): PaxRecords {
  let path: string | undefined;
  let sizeBytes: number | undefined;
  let isSparse = false;
  let from = 0;
  // Some writers fill the block's rest with zeroes and count them in.
  while (from < bytes.length && bytes[from] !== 0) {
    const space = bytes.indexOf(0x20, from);
    const lengthText = space === -1 ? '' : ascii(bytes.subarray(from, Math.min(space, from + 8)));
    const length = /^[1-9][0-9]*$/.test(lengthText) ? Number(lengthText) : 0;
    const end = from + length;
    if (length === 0 || end > bytes.length || end <= space + 1 || bytes[end - 1] !== 0x0a) {
      throw new ProblemError(
        'ArchiveCorrupt',
        `${at}: a pax record at byte ${from} of the extended header is malformed`,
      );
    }
    const record = new TextDecoder().decode(bytes.subarray(space + 1, end - 1));
    const equals = record.indexOf('=');
    const key = record.slice(0, Math.max(0, equals));
    const value = record.slice(equals + 1);
    if (key === 'path') path = value;
    if (key === 'size') sizeBytes = parseSize(value, at);
    if (key.startsWith('GNU.sparse.')) isSparse = true;
    from = end;
  }
  return { isSparse, ...(path === undefined ? {} : { path }), ...(sizeBytes === undefined ? {} : { sizeBytes }) };
}

function parseSize(value: string, at: string): number {
  const size = /^[0-9]{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!(size <= Number.MAX_SAFE_INTEGER - 512)) {
    throw new ProblemError(
      'ArchiveCorrupt',
      `${at}: the pax size ${JSON.stringify(value.slice(0, 40))} is not a possible size`,
    );
  }
  return size;
}

function ascii(bytes: Uint8Array): string {
  return new TextDecoder('latin1').decode(bytes);
}
