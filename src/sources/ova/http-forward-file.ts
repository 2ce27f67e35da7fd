import type { CallOptions } from '../../lib/call-options.ts';
import { HEAD_BYTES } from '../../ports/image-file.ts';
import type { HttpAnswer } from './http-connection.ts';
import { type HttpFileParts, readHttpIdentity } from './http-file.ts';
import { checkUnchanged, hasProof, identityOf, parseContentLength, readValidators } from './http-validators.ts';

interface Begun {
  readonly answer: HttpAnswer;
  readonly rest: AsyncGenerator<Uint8Array, void>;
  readonly pieces: Uint8Array[];
}

function begin(answer: HttpAnswer): Begun {
  return { answer, rest: answer.pieces(), pieces: [] };
}

/** A file behind an HTTP server that does not answer ranges: it can be read from its beginning only, and a broken stream cannot be continued. */
export class HttpForwardFile implements AsyncDisposable {
  readonly name: string;
  /** Absent when the server does not tell. */
  readonly sizeBytes?: number;
  readonly identity: string;
  readonly hasProof: boolean;
  readonly #parts: HttpFileParts;
  /** The answer to the first request, which is the stream itself, and what was read of it so far. */
  #begun: Begun | undefined;

  constructor(parts: HttpFileParts, opened: HttpAnswer | undefined) {
    this.#parts = parts;
    this.#begun = opened && begin(opened);
    this.name = parts.name;
    this.identity = identityOf(parts.validators, parts.unproven);
    this.hasProof = hasProof(parts.validators);
    if (parts.validators.totalBytes !== undefined) this.sizeBytes = parts.validators.totalBytes;
  }

  async readIdentity(options: CallOptions = {}): Promise<string> {
    return await readHttpIdentity(this.#parts, options);
  }

  /** The first bytes, at least `HEAD_BYTES` or all there are, once. They are kept for the stream, which goes on behind them. */
  async readHead(options: CallOptions = {}): Promise<Uint8Array> {
    this.#begun ??= begin(await this.#open(options));
    const { answer, rest, pieces } = this.#begun;
    const stop = () => answer.close();
    options.signal?.throwIfAborted();
    options.signal?.addEventListener('abort', stop, { once: true });
    try {
      while (pieces.reduce((sum, piece) => sum + piece.length, 0) < HEAD_BYTES) {
        const next = await rest.next();
        if (next.done) break;
        pieces.push(next.value);
      }
      return Buffer.concat(pieces);
    } catch (error) {
      this.#begun = undefined;
      options.signal?.throwIfAborted();
      throw error;
    } finally {
      options.signal?.removeEventListener('abort', stop);
    }
  }

  /** The whole file from its beginning. The first call goes on with the connection that was opened to look at the file; each further one opens another. */
  async *stream(options: CallOptions = {}): AsyncGenerator<Uint8Array, void> {
    const { answer, rest, pieces } = this.#begun ?? begin(await this.#open(options));
    this.#begun = undefined;
    const stop = () => answer.close();
    options.signal?.addEventListener('abort', stop, { once: true });
    try {
      options.signal?.throwIfAborted();
      yield* pieces;
      for await (const piece of rest) {
        options.signal?.throwIfAborted();
        yield piece;
      }
    } catch (error) {
      options.signal?.throwIfAborted();
      throw error;
    } finally {
      options.signal?.removeEventListener('abort', stop);
      answer.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#begun?.answer.close();
    this.#begun = undefined;
  }

  async #open(options: CallOptions): Promise<HttpAnswer> {
    const { connection, url, validators, name } = this.#parts;
    const answer = await connection.get(url, {}, options);
    try {
      checkUnchanged(validators, readValidators(answer.headers, parseContentLength(answer.headers)), name);
      return answer;
    } catch (error) {
      answer.close();
      throw error;
    }
  }
}
