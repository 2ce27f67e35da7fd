import { ProblemError } from '../../domain/problems.ts';
import { type HttpHeaders, headerOf } from './http-problems.ts';

/** What a server says that tells one state of a file from another. */
export interface HttpValidators {
  readonly etag?: string;
  readonly lastModified?: string;
  /** Length of the whole file. */
  readonly totalBytes?: number;
}

export interface ContentRange {
  readonly from: number;
  /** The byte after the last one. */
  readonly to: number;
  readonly totalBytes?: number;
}

/** @param totalBytes length of the whole file, which a partial answer says elsewhere than a full one */
export function readValidators(headers: HttpHeaders, totalBytes: number | undefined): HttpValidators {
  const etag = headerOf(headers, 'etag');
  const lastModified = headerOf(headers, 'last-modified');
  return {
    ...(etag ? { etag } : {}),
    ...(lastModified ? { lastModified } : {}),
    ...(totalBytes === undefined ? {} : { totalBytes }),
  };
}

/** True when ETag or modification time vouch for the file; a length alone does not. */
export function hasProof(validators: HttpValidators): boolean {
  return validators.etag !== undefined || validators.lastModified !== undefined;
}

/** @param unproven stands in where the server gives no proof: a value that no other run will have */
export function identityOf(validators: HttpValidators, unproven: string): string {
  const proof = hasProof(validators)
    ? `etag=${validators.etag ?? ''} modified=${validators.lastModified ?? ''}`
    : `unproven=${unproven}`;
  return `http ${proof} bytes=${validators.totalBytes ?? ''}`;
}

/** @throws ProblemError `SourceChanged` when `now` is of another state of the file than `before` */
export function checkUnchanged(before: HttpValidators, now: HttpValidators, name: string): void {
  const isOther = (key: keyof HttpValidators) => before[key] !== now[key];
  // A total may be left away (`*`, chunked), which says nothing; an ETag does not come and go.
  const isOtherLength = before.totalBytes !== undefined && now.totalBytes !== undefined && isOther('totalBytes');
  const differs = isOther('etag')
    ? 'etag'
    : isOther('lastModified')
      ? 'lastModified'
      : isOtherLength
        ? 'totalBytes'
        : undefined;
  if (differs === undefined) return;
  const words = { etag: 'ETag', lastModified: 'modification time', totalBytes: 'length' };
  throw new ProblemError(
    'SourceChanged',
    `${name}: the ${words[differs]} was ${before[differs] ?? 'not given'} and is now ${now[differs] ?? 'not given'}`,
  );
}

/** RFC 9110 14.4. Undefined for what is not a range of bytes that makes sense. */
export function parseContentRange(value: string | undefined): ContentRange | undefined {
  const match = /^bytes (\d+)-(\d+)\/(\d+|\*)$/i.exec(value?.trim() ?? '');
  if (!match) return undefined;
  const [from, last] = [Number(match[1]), Number(match[2])];
  const totalBytes = match[3] === '*' ? undefined : Number(match[3]);
  if (!Number.isSafeInteger(last) || from > last) return undefined;
  if (totalBytes === undefined) return { from, to: last + 1 };
  return Number.isSafeInteger(totalBytes) && last < totalBytes ? { from, to: last + 1, totalBytes } : undefined;
}

/** The length in a 416 answer, which says a star, a slash and the length. */
export function parseUnsatisfiedRange(value: string | undefined): number | undefined {
  const match = /^bytes \*\/(\d+)$/i.exec(value?.trim() ?? '');
  return match ? Number(match[1]) : undefined;
}

export function parseContentLength(headers: HttpHeaders): number | undefined {
  const value = headerOf(headers, 'content-length') ?? '';
  return /^\d+$/.test(value) && Number.isSafeInteger(Number(value)) ? Number(value) : undefined;
}
