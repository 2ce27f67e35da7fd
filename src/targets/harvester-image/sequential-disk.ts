import { LEAF_BYTES, leafCount, leafOf } from '../../domain/digest-layout.ts';
import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { DiskReader, EncodedRange } from '../../ports/disk-reader.ts';
import { tooShort } from './leaf-reader.ts';
import { etagOf, type ServeDiskOptions, type ServedFile } from './served-file.ts';

const SECTOR_BYTES = 512;

/**
 * A disk whose image can only be read from its start, as the raw bytes of the disk: their number is known though nobody knows yet which of them are data. Each reading reads the source
 * from its start. Memory: a leaf and a range. Filled up with zeroes to whole sectors, which Longhorn insists on.
 */
export class SequentialDisk implements ServedFile {
  readonly format = 'raw';
  readonly sizeBytes: number;
  readonly dataStart = 0;
  readonly etag: string;
  readonly hasRanges = false;
  readonly #reader: DiskReader;
  readonly #options: ServeDiskOptions;
  #fetchedBytes = 0;

  /** @throws ProblemError `SourceRangesRequired` for what can be read only once: a download that fails could not begin again */
  constructor(reader: DiskReader, options: ServeDiskOptions) {
    if (reader.oneShot)
      throw new ProblemError('SourceRangesRequired', `a disk of format ${reader.format} that can be read only once`);
    this.#reader = reader;
    this.#options = options;
    this.sizeBytes = Math.ceil(reader.virtualSizeBytes / SECTOR_BYTES) * SECTOR_BYTES;
    this.etag = etagOf('raw', reader);
  }

  get fetchedBytes(): number {
    return this.#fetchedBytes;
  }

  async *read(from: number, to: number, options: CallOptions = {}): AsyncGenerator<Uint8Array, void> {
    let at = 0;
    for await (const leaf of this.#leaves(options)) {
      const part = leaf.subarray(Math.max(0, from - at), Math.max(0, to - at));
      at += leaf.length;
      if (part.length > 0) yield part;
      if (at >= to) return;
    }
    if (at < to) yield new Uint8Array(to - Math.max(at, from));
  }

  async readLeaves(wants: (leaf: number) => boolean, options: CallOptions = {}): Promise<void> {
    const count = leafCount(this.#reader.virtualSizeBytes);
    let isWanted = false;
    for (let leaf = 0; leaf < count && !isWanted; leaf += 1) isWanted = wants(leaf);
    if (!isWanted) return;
    for await (const _leaf of this.#leaves(options));
  }

  async *#leaves({ signal }: CallOptions): AsyncGenerator<Uint8Array, void> {
    const { signal: always, onLeaf, rateLimiter } = this.#options;
    const { virtualSizeBytes } = this.#reader;
    const signals = [signal, always].filter((each) => each !== undefined);
    const call = { signal: signals.length === 0 ? undefined : AbortSignal.any(signals) };
    const count = leafCount(virtualSizeBytes);
    const bytesOf = (leaf: number) => new Uint8Array(Math.min(LEAF_BYTES, virtualSizeBytes - leaf * LEAF_BYTES));
    let leaf = 0;
    // What reaches into the leaves behind the current one.
    const open = new Map<number, Uint8Array>();
    for await (const range of this.#reader.ranges(call)) {
      if (range.fileBytes === 0) continue;
      const encoded = range.bytes ?? (await this.#fetch(range, call));
      this.#fetchedBytes += encoded.length;
      await rateLimiter?.take(encoded.length, call);
      for (const piece of range.pieces) {
        if (leafOf(piece.offset) < leaf) throw outOfOrder(this.#reader, piece.offset, leaf);
        while (leafOf(piece.offset) > leaf) {
          const done = open.get(leaf) ?? bytesOf(leaf);
          open.delete(leaf);
          onLeaf?.(leaf, done);
          yield done;
          leaf += 1;
        }
        this.#decode(piece, encoded.subarray(piece.fileOffset - range.fileOffset), (each) => {
          const bytes = open.get(each) ?? bytesOf(each);
          open.set(each, bytes);
          return bytes;
        });
      }
    }
    for (; leaf < count; leaf += 1) {
      const done = open.get(leaf) ?? bytesOf(leaf);
      onLeaf?.(leaf, done);
      yield done;
    }
  }

  async #fetch({ file, fileOffset, fileBytes }: EncodedRange, call: CallOptions): Promise<Uint8Array> {
    const source = this.#reader.files[file];
    if (source?.read === undefined) throw new Error(`a range of file ${file} has no bytes and cannot be fetched`);
    return await source.read(fileOffset, fileBytes, call);
  }

  #decode(piece: EncodedRange['pieces'][number], encoded: Uint8Array, leafBytes: (leaf: number) => Uint8Array): void {
    const out = new Uint8Array(piece.length);
    const decoded = this.#options.decode(piece, encoded.subarray(0, piece.fileBytes), out);
    if (decoded < piece.length && piece.offset + piece.length < this.#reader.virtualSizeBytes)
      throw tooShort(piece, decoded);
    for (let done = 0; done < out.length; ) {
      const at = piece.offset + done;
      const leaf = leafOf(at);
      const begin = at - leaf * LEAF_BYTES;
      const part = out.subarray(done, done + LEAF_BYTES - begin);
      leafBytes(leaf).set(part, begin);
      done += part.length;
    }
  }
}

function outOfOrder({ format }: DiskReader, offset: number, leaf: number): ProblemError {
  const detail = `the image (${format}) holds byte ${offset} of the disk behind byte ${leaf * LEAF_BYTES}, and its source can only be read from its start`;
  return new ProblemError('ImageNotInOrder', detail, { context: { offset } });
}
