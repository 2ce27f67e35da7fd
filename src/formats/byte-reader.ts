import { type ProblemCode, ProblemError } from '../domain/problems.ts';

/**
 * Reads a byte stream front to back in pieces of wanted size. Nothing is pulled before it is asked for. Memory: the largest piece asked for and one piece
 * of the stream.
 */
export class ByteReader implements AsyncDisposable {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #name: string;
  readonly #truncated: ProblemCode;
  #piece: Uint8Array = new Uint8Array(0);
  #used = 0;
  #position: number;
  #ended = false;

  /**
   * @param options.name for messages
   * @param options.position where in the file the stream begins
   * @param options.truncated the problem that a premature end is, `DiskImageTruncated` unless told
   */
  constructor(
    stream: AsyncIterable<Uint8Array>,
    options: { name: string; position?: number; truncated?: ProblemCode },
  ) {
    this.#source = stream[Symbol.asyncIterator]();
    this.#name = options.name;
    this.#position = options.position ?? 0;
    this.#truncated = options.truncated ?? 'DiskImageTruncated';
  }

  /** Offset in the file of the next byte. */
  get position(): number {
    return this.#position;
  }

  /** The next `length` bytes. They may share memory with the stream's own piece, so they are valid until the stream reuses it; none of ours does. */
  async readExactly(length: number): Promise<Uint8Array> {
    const start = this.#position;
    if (!(await this.#fill())) {
      if (length === 0) return new Uint8Array(0);
      this.#failTruncated(start, length);
    }
    if (this.#piece.length - this.#used >= length) return this.#take(length);

    const whole = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      if (!(await this.#fill())) this.#failTruncated(start, length);
      const part = this.#take(Math.min(length - filled, this.#piece.length - this.#used));
      whole.set(part, filled);
      filled += part.length;
    }
    return whole;
  }

  /** Whatever is at hand, at most `maxBytes`; empty only at the end of the stream. */
  async readSome(maxBytes: number): Promise<Uint8Array> {
    if (!(await this.#fill())) return new Uint8Array(0);
    return this.#take(Math.min(maxBytes, this.#piece.length - this.#used));
  }

  async skip(length: number): Promise<void> {
    const start = this.#position;
    let left = length;
    while (left > 0) {
      if (!(await this.#fill())) this.#failTruncated(start, length);
      left -= this.#take(Math.min(left, this.#piece.length - this.#used)).length;
    }
  }

  /** Reads on to the next multiple of `unit`, counted from the start of the file. */
  async skipToMultipleOf(unit: number): Promise<void> {
    const over = this.#position % unit;
    if (over > 0) await this.skip(unit - over);
  }

  async isAtEnd(): Promise<boolean> {
    return !(await this.#fill());
  }

  /** Reads to the end and returns how many bytes were left. */
  async drain(): Promise<number> {
    let drained = 0;
    while (await this.#fill()) drained += this.#take(this.#piece.length - this.#used).length;
    return drained;
  }

  /** Closes the stream; whoever stops early leaves nothing open. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    await this.#source.return?.();
  }

  #take(length: number): Uint8Array {
    const part = this.#piece.subarray(this.#used, this.#used + length);
    this.#used += length;
    this.#position += length;
    return part;
  }

  /** True when at least one byte is at hand. */
  async #fill(): Promise<boolean> {
    while (this.#used === this.#piece.length && !this.#ended) {
      const next = await this.#source.next();
      if (next.done) {
        this.#ended = true;
        break;
      }
      this.#piece = next.value;
      this.#used = 0;
    }
    return this.#used < this.#piece.length;
  }

  #failTruncated(start: number, length: number): never {
    throw new ProblemError(
      this.#truncated,
      `${this.#name} ends at byte ${this.#position}; ${length} bytes were expected from byte ${start}`,
      { context: { position: this.#position } },
    );
  }
}
