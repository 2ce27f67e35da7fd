import type { ProblemCode } from '../../domain/problems.ts';
import { ByteReader } from '../../formats/byte-reader.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { HttpForwardFile } from './http-forward-file.ts';

/** One reading of a file from its beginning, over one connection. It lasts longer than any single call, so each call lends it its signal. */
export class ForwardPass implements AsyncDisposable {
  readonly reader: ByteReader;
  readonly #connection = new AbortController();
  #isBroken = false;

  /** @param truncated the problem that a premature end of the file is */
  constructor(file: HttpForwardFile, truncated: ProblemCode) {
    const stream = file.stream({ signal: this.#connection.signal });
    this.reader = new ByteReader(stream, { name: file.name, truncated });
  }

  /** True after a failure: nothing more can be read. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Runs something that reads; an abort meanwhile closes the connection. */
  async during<T>({ signal }: CallOptions, read: (reader: ByteReader) => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    const stop = () => this.#connection.abort(signal?.reason);
    signal?.addEventListener('abort', stop, { once: true });
    try {
      return await read(this.reader);
    } catch (error) {
      this.#isBroken = true;
      throw error;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  /** As much of the next `length` bytes as there is. */
  async readUpTo(length: number, options: CallOptions): Promise<Uint8Array> {
    return await this.during(options, async (reader) => {
      const pieces: Uint8Array[] = [];
      let have = 0;
      while (have < length) {
        const piece = await reader.readSome(length - have);
        if (piece.length === 0) break;
        pieces.push(piece);
        have += piece.length;
      }
      return Buffer.concat(pieces);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isBroken = true;
    this.#connection.abort(new Error('the pass was closed'));
    await this.reader[Symbol.asyncDispose]();
  }
}
