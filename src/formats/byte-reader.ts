import { type ProblemCode, ProblemError } from '../domain/problems.ts';
import { PieceReader } from '../lib/piece-reader.ts';

/** Reads a file's stream front to back in pieces of wanted size; a premature end is a problem that names the file and both numbers. */
export class ByteReader implements AsyncDisposable {
  readonly #pieces: PieceReader;
  readonly #name: string;
  readonly #truncated: ProblemCode;

  /**
   * @param options.name for messages
   * @param options.position where in the file the stream begins
   * @param options.truncated the problem that a premature end is, `DiskImageTruncated` unless told
   */
  constructor(
    stream: AsyncIterable<Uint8Array>,
    options: { readonly name: string; readonly position?: number; readonly truncated?: ProblemCode },
  ) {
    this.#pieces = new PieceReader(stream, options.position ?? 0);
    this.#name = options.name;
    this.#truncated = options.truncated ?? 'DiskImageTruncated';
  }

  /** Offset in the file of the next byte. */
  get position(): number {
    return this.#pieces.position;
  }

  /** The next `length` bytes. They may share memory with the stream's own piece, see PieceReader. */
  async readExactly(length: number): Promise<Uint8Array> {
    const start = this.position;
    return (await this.#pieces.readExactly(length)) ?? this.#failTruncated(start, length);
  }

  /** Whatever is at hand, at most `maxBytes`; empty only at the end of the stream. */
  async readSome(maxBytes: number): Promise<Uint8Array> {
    await this.#pieces.fill();
    return this.#pieces.take(maxBytes);
  }

  async skip(length: number): Promise<void> {
    const start = this.position;
    if (!(await this.#pieces.skipTo(start + length))) this.#failTruncated(start, length);
  }

  /** Reads on to the next multiple of `unit`, counted from the start of the file. */
  async skipToMultipleOf(unit: number): Promise<void> {
    const over = this.position % unit;
    if (over > 0) await this.skip(unit - over);
  }

  async isAtEnd(): Promise<boolean> {
    return !(await this.#pieces.fill());
  }

  /** Reads to the end and returns how many bytes were left. */
  async drain(): Promise<number> {
    const start = this.position;
    await this.#pieces.skipTo(Number.POSITIVE_INFINITY);
    return this.position - start;
  }

  /** Closes the stream; whoever stops early leaves nothing open. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pieces[Symbol.asyncDispose]();
  }

  #failTruncated(start: number, length: number): never {
    throw new ProblemError(
      this.#truncated,
      `${this.#name} ends at byte ${this.position}; ${length} bytes were expected from byte ${start}`,
      { context: { position: this.position } },
    );
  }
}
