import { isProblem, ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import { Backoff, type BackoffOptions } from './backoff.ts';
import type { HttpAnswer, HttpConnection } from './http-connection.ts';
import { headerOf } from './http-problems.ts';
import {
  checkUnchanged,
  type HttpValidators,
  hasProof,
  identityOf,
  parseContentLength,
  parseContentRange,
  parseUnsatisfiedRange,
  readValidators,
} from './http-validators.ts';
import type { RangedFile, RangedStreamOptions } from './ranged-file.ts';

/** What an HttpFile and an HttpForwardFile are made of. */
export interface HttpFileParts {
  readonly connection: HttpConnection;
  readonly url: URL;
  /** For messages. */
  readonly name: string;
  readonly validators: HttpValidators;
  /** See `identityOf`. */
  readonly unproven: string;
  readonly backoff: BackoffOptions;
}

/** A file behind an HTTP server that answers ranges. What fails and may pass is tried again from the byte reached. */
export class HttpFile implements RangedFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly identity: string;
  readonly server: string;
  /** False when the server gives nothing that shows a change, so that no later run may continue this one. */
  readonly hasProof: boolean;
  readonly #parts: HttpFileParts;

  constructor(parts: HttpFileParts, sizeBytes: number) {
    this.#parts = parts;
    this.name = parts.name;
    this.server = parts.url.host;
    this.sizeBytes = sizeBytes;
    this.identity = identityOf(parts.validators, parts.unproven);
    this.hasProof = hasProof(parts.validators);
  }

  async readIdentity(options: CallOptions = {}): Promise<string> {
    return await readHttpIdentity(this.#parts, options);
  }

  async read(offset: number, length: number, options: CallOptions = {}): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    let filled = 0;
    for await (const piece of this.stream(offset, offset + length, options)) {
      bytes.set(piece, filled);
      filled += piece.length;
    }
    return bytes;
  }

  async *stream(from: number, to: number, options: RangedStreamOptions = {}): AsyncGenerator<Uint8Array, void> {
    const backoff = new Backoff(this.#parts.backoff);
    let at = from;
    while (at < to) {
      try {
        for await (const piece of this.#readRange(at, to, options)) {
          at += piece.length;
          backoff.progressed();
          yield piece;
        }
      } catch (error) {
        if (!isProblem(error)) throw error;
        options.onRetry?.(error);
        await backoff.wait(error, options);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {} // the connection belongs to the source

  /** One request. Ends early without a problem when the server gave less than asked for, as it may. */
  async *#readRange(from: number, to: number, options: CallOptions): AsyncGenerator<Uint8Array, void> {
    const { connection, url, validators, name } = this.#parts;
    // Only a strong ETag may stand in If-Range (RFC 9110 13.1.5). Without one the answer's own validators are all there is to check.
    const ifRange = validators.etag && !validators.etag.startsWith('W/') ? { 'if-range': validators.etag } : {};
    const answer = await connection.get(url, { range: `bytes=${from}-${to - 1}`, ...ifRange }, options);
    try {
      const end = this.#checkAnswer(answer, from, to);
      let at = from;
      for await (const piece of answer.pieces()) {
        if (at + piece.length > end) {
          throw new ProblemError('SourceRangeIgnored', `${name}: more bytes came than the ${end - from} announced`);
        }
        at += piece.length;
        yield piece;
      }
      if (at < end)
        throw new ProblemError('SourceClosedEarly', `${name}: the answer ended at byte ${at} instead of ${end}`);
    } finally {
      answer.close();
    }
  }

  /** Returns where the answer ends. */
  #checkAnswer({ status, headers }: HttpAnswer, from: number, to: number): number {
    const { validators, name } = this.#parts;
    if (status === 416) {
      const totalBytes = parseUnsatisfiedRange(headerOf(headers, 'content-range'));
      const now = totalBytes === undefined ? '' : `; it has ${totalBytes} bytes now and had ${this.sizeBytes}`;
      throw new ProblemError('SourceChanged', `${name}: the server has no byte ${from} any more${now}`);
    }
    if (status === 200) {
      checkUnchanged(validators, readValidators(headers, parseContentLength(headers)), name);
      throw new ProblemError(
        'SourceRangeIgnored',
        `${name}: the server sent the whole file instead of bytes ${from} to ${to - 1}`,
      );
    }
    const value = headerOf(headers, 'content-range');
    const range = parseContentRange(value);
    if (range) checkUnchanged(validators, readValidators(headers, range.totalBytes), name);
    if (range?.from !== from || range.to > to) {
      throw new ProblemError(
        'SourceRangeIgnored',
        `${name}: bytes ${from} to ${to - 1} were asked for and Content-Range says ${JSON.stringify(value ?? '')}`,
      );
    }
    return range.to;
  }
}

/** Asks for one byte and looks at what comes with it. */
export async function readHttpIdentity(parts: HttpFileParts, options: CallOptions): Promise<string> {
  const { connection, url, unproven } = parts;
  const answer = await connection.get(url, { range: 'bytes=0-0' }, options);
  try {
    const { status, headers } = answer;
    const contentRange = headerOf(headers, 'content-range');
    if (status === 206) {
      for await (const _ of answer.pieces()); // one byte; read, it leaves the connection usable
      return identityOf(readValidators(headers, parseContentRange(contentRange)?.totalBytes), unproven);
    }
    const totalBytes = status === 200 ? parseContentLength(headers) : parseUnsatisfiedRange(contentRange);
    return identityOf(readValidators(headers, totalBytes), unproven);
  } finally {
    answer.close();
  }
}
