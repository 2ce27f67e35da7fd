import type { CallOptions } from '../../lib/call-options.ts';

/** Reads exactly `length` bytes at `offset`. */
export type ReadAt = (offset: number, length: number, options?: CallOptions) => Promise<Uint8Array>;

const PAGE_BYTES = 64 * 1024;
const MAX_PAGES = 256;

/**
 * Reads tables in pages and keeps the last 16 MiB of them. The tables of most images fit, so that walking them again costs nothing, and tables of tiny clusters
 * do not cost a request each.
 */
export class PageCache {
  readonly #read: ReadAt;
  readonly #fileBytes: number;
  readonly #pages = new Map<number, Uint8Array>();

  constructor(read: ReadAt, fileBytes: number) {
    this.#read = read;
    this.#fileBytes = fileBytes;
  }

  /** The range must lie within the file. */
  async read(offset: number, length: number, options: CallOptions = {}): Promise<Uint8Array> {
    const first = Math.floor(offset / PAGE_BYTES);
    const start = offset - first * PAGE_BYTES;
    if (start + length <= PAGE_BYTES) return (await this.#page(first, options)).subarray(start, start + length);
    const whole = new Uint8Array(length);
    for (let filled = 0; filled < length; ) {
      const at = offset + filled;
      const page = await this.#page(Math.floor(at / PAGE_BYTES), options);
      const part = page.subarray(at % PAGE_BYTES, Math.min(page.length, (at % PAGE_BYTES) + length - filled));
      if (part.length === 0) throw new RangeError(`${length} bytes at ${offset} reach beyond ${this.#fileBytes}`);
      whole.set(part, filled);
      filled += part.length;
    }
    return whole;
  }

  async #page(index: number, options: CallOptions): Promise<Uint8Array> {
    const known = this.#pages.get(index);
    if (known !== undefined) {
      // Moves to the end, so that the least recently used page is the first.
      this.#pages.delete(index);
      this.#pages.set(index, known);
      return known;
    }
    const from = index * PAGE_BYTES;
    const page = await this.#read(from, Math.min(PAGE_BYTES, this.#fileBytes - from), options);
    if (this.#pages.size >= MAX_PAGES) {
      const [oldest] = this.#pages.keys();
      if (oldest !== undefined) this.#pages.delete(oldest);
    }
    this.#pages.set(index, page);
    return page;
  }
}
