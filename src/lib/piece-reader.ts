/**
 * Cuts a stream of pieces of any size into the lengths wanted, front to back. Nothing is pulled before it is asked for; it holds one piece of the stream.
 */
export class PieceReader implements AsyncDisposable {
  readonly #source: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = new Uint8Array(0);
  #used = 0;
  #position: number;
  #hasEnded = false;

  /** @param position where in the file the stream begins */
  constructor(stream: AsyncIterable<Uint8Array>, position = 0) {
    this.#source = stream[Symbol.asyncIterator]();
    this.#position = position;
  }

  /** Offset in the file of the next byte. */
  get position(): number {
    return this.#position;
  }

  /** Bytes that were pulled and not yet taken. */
  get heldBytes(): number {
    return this.#piece.length - this.#used;
  }

  /**
   * The next `length` bytes, or undefined when the stream ends before; `position` then tells where. They share memory with the stream's own piece where they
   * lie in one, so they are valid for as long as the stream leaves its pieces alone.
   */
  async readExactly(length: number): Promise<Uint8Array | undefined> {
    if (length === 0) return new Uint8Array(0);
    await this.fill();
    if (this.heldBytes >= length) return this.take(length);
    const whole = Buffer.allocUnsafeSlow(length);
    let filled = 0;
    while (filled < length) {
      if (!(await this.fill())) return undefined;
      const part = this.take(length - filled);
      whole.set(part, filled);
      filled += part.length;
    }
    return whole;
  }

  /** Reads on to `position` and tells whether the stream reached it. */
  async skipTo(position: number): Promise<boolean> {
    while (this.#position < position) {
      if (!(await this.fill())) return false;
      this.take(position - this.#position);
    }
    return true;
  }

  /** Makes at least one byte available; false at the end of the stream. */
  async fill(): Promise<boolean> {
    while (this.heldBytes === 0 && !this.#hasEnded) {
      const next = await this.#source.next();
      if (next.done) {
        this.#hasEnded = true;
        break;
      }
      this.#piece = next.value;
      this.#used = 0;
    }
    return this.heldBytes > 0;
  }

  /** Takes what is held, at most `maxBytes`. */
  take(maxBytes: number): Uint8Array {
    const part = this.#piece.subarray(this.#used, this.#used + Math.min(maxBytes, this.heldBytes));
    this.#used += part.length;
    this.#position += part.length;
    return part;
  }

  /** Closes the stream; whoever stops early leaves nothing open. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#hasEnded = true;
    await this.#source.return?.();
  }
}
