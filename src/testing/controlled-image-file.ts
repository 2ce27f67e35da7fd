import type { ImageFile, StreamOptions } from '../ports/image-file.ts';

/** One stream of a ControlledImageFile, moved by hand. */
export class ControlledStream {
  readonly from: number;
  readonly to: number;
  isOpen = true;
  wasAborted = false;
  readonly #content: Uint8Array;
  readonly #pieces: Uint8Array[] = [];
  #at: number;
  #end: { readonly error: unknown } | 'closed' | undefined;
  #wake: () => void = () => {};

  constructor(content: Uint8Array, from: number, to: number) {
    this.#content = content;
    this.from = from;
    this.to = to;
    this.#at = from;
  }

  /** Sends the next bytes, or all that are missing, in one piece. */
  send(bytes = this.to - this.#at): void {
    this.#pieces.push(this.#content.slice(this.#at, this.#at + bytes));
    this.#at += bytes;
    this.#wake();
  }

  /** Sends all that is missing and ends properly. */
  complete(): void {
    this.send();
    this.end();
  }

  end(): void {
    this.#end = 'closed';
    this.#wake();
  }

  fail(error: unknown): void {
    this.#end = { error };
    this.#wake();
  }

  async *pieces(signal: AbortSignal | undefined): AsyncGenerator<Uint8Array, void> {
    const abort = () => this.#wake();
    signal?.addEventListener('abort', abort);
    try {
      while (true) {
        signal?.throwIfAborted();
        const piece = this.#pieces.shift();
        if (piece !== undefined) yield piece;
        else if (this.#end === 'closed') return;
        else if (this.#end !== undefined) throw this.#end.error;
        else await new Promise<void>((wake) => (this.#wake = wake));
      }
    } finally {
      this.isOpen = false;
      this.wasAborted = signal?.aborted ?? false;
      signal?.removeEventListener('abort', abort);
    }
  }
}

/** An image file in memory whose streams bring nothing by themselves: the test says which one brings how much when, and which one fails. */
export class ControlledImageFile implements ImageFile {
  readonly name = 'controlled.img';
  readonly identity = 'controlled';
  readonly expectedDigests = [];
  readonly sizeBytes: number;
  readonly streams: ControlledStream[] = [];
  readonly #content: Uint8Array;

  constructor(content: Uint8Array) {
    this.#content = content;
    this.sizeBytes = content.length;
  }

  get openStreams(): ControlledStream[] {
    return this.streams.filter((stream) => stream.isOpen);
  }

  async readIdentity(): Promise<string> {
    return this.identity;
  }

  async readHead(): Promise<Uint8Array> {
    return await this.read(0, 0);
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    return this.#content.slice(offset, offset + length);
  }

  stream({ from = 0, to = this.sizeBytes, signal }: StreamOptions = {}): AsyncIterable<Uint8Array> {
    const stream = new ControlledStream(this.#content, from, to);
    this.streams.push(stream);
    return stream.pieces(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
