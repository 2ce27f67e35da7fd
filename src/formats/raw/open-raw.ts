import { LEAF_BYTES, leafCount, leafOf, MAX_VIRTUAL_SIZE_BYTES } from '../../domain/digest-layout.ts';
import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import {
  type DiskReader,
  type EncodedRange,
  type LeafRun,
  MAX_RANGE_BYTES,
  type RangesOptions,
} from '../../ports/disk-reader.ts';
import type { DiskFiles, ImageFile } from '../../ports/image-file.ts';
import { ByteReader } from '../byte-reader.ts';

export interface OpenRawOptions extends CallOptions {
  /** What the source's description says; needed where the file's own size is not known before its end (compressed files). */
  readonly virtualSizeBytes?: number | undefined;
}

/**
 * Opens a raw image: the bytes of the disk, one after the other, a size that is no multiple of 512 included. Nothing tells holes from data, so that every byte is
 * in some range. Where the file can only be read in order, ranges carry their bytes.
 * Disposing the reader disposes `files.main`; so does a failure to open.
 * @throws ProblemError `DiskSizeMismatch`, `DiskTooLarge`, `DiskFormatUnsupported` when nobody knows the size
 */
export async function openRaw(files: DiskFiles, options: OpenRawOptions = {}): Promise<DiskReader> {
  const { main } = files;
  try {
    return new RawReader(main, sizeOf(main, options.virtualSizeBytes));
  } catch (error) {
    await main[Symbol.asyncDispose]();
    throw error;
  }
}

function sizeOf({ name, sizeBytes }: ImageFile, told: number | undefined): number {
  const known = sizeBytes ?? told;
  if (known === undefined) {
    throw new ProblemError('DiskFormatUnsupported', `${name} is a compressed raw disk and nothing tells its size`);
  }
  if (told !== undefined && told !== known) {
    throw new ProblemError('DiskSizeMismatch', `${name} has ${known} bytes; the description says ${told}`);
  }
  if (known > MAX_VIRTUAL_SIZE_BYTES) throw new ProblemError('DiskTooLarge', `${name} has ${known} bytes`);
  return known;
}

class RawReader implements DiskReader {
  readonly format = 'raw';
  readonly virtualSizeBytes: number;
  readonly contentId: string;
  readonly files: readonly ImageFile[];
  readonly oneShot = false;
  readonly allocation = { kind: 'unknown' } as const;
  readonly #main: ImageFile;

  constructor(main: ImageFile, virtualSizeBytes: number) {
    this.#main = main;
    this.files = [main];
    this.virtualSizeBytes = virtualSizeBytes;
    this.contentId = this.#contentIdOf(main.identity);
  }

  async readContentId(options: CallOptions = {}): Promise<string> {
    return this.#contentIdOf(await this.#main.readIdentity(options));
  }

  ranges(options: RangesOptions = {}): AsyncGenerator<EncodedRange, void> {
    return this.#main.read === undefined ? this.#passingRanges(options) : this.#fileRanges(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#main[Symbol.asyncDispose]();
  }

  async *#fileRanges({ signal, wants }: RangesOptions): AsyncGenerator<EncodedRange, void> {
    for (let leaf = 0; leaf < leafCount(this.virtualSizeBytes); leaf += 1) {
      if (wants?.(leaf) === false) continue;
      signal?.throwIfAborted();
      const end = Math.min((leaf + 1) * LEAF_BYTES, this.virtualSizeBytes);
      for (let at = leaf * LEAF_BYTES; at < end; at += MAX_RANGE_BYTES) yield this.#range(at);
    }
  }

  async *#passingRanges({ signal, wants, observe }: RangesOptions): AsyncGenerator<EncodedRange, void> {
    const { name } = this.#main;
    const stream = this.#main.stream({ signal, observe: (storedOffset, bytes) => observe?.(0, storedOffset, bytes) });
    await using reader = new ByteReader(stream, { name });
    while (reader.position < this.virtualSizeBytes) {
      signal?.throwIfAborted();
      const at = reader.position;
      const range = this.#range(at);
      if (wants?.(leafOf(at)) === false) await reader.skip(range.fileBytes);
      else yield { ...range, bytes: await reader.readExactly(range.fileBytes) };
    }
    if (!(await reader.isAtEnd())) {
      throw new ProblemError(
        'DiskSizeMismatch',
        `${name} goes on after the ${this.virtualSizeBytes} bytes of the disk`,
      );
    }
  }

  /** Ranges never cross a leaf, because LEAF_BYTES is a multiple of MAX_RANGE_BYTES. */
  #range(at: number): EncodedRange {
    const length = Math.min(MAX_RANGE_BYTES, this.virtualSizeBytes - at);
    const end = at + length;
    const isLast = end % LEAF_BYTES === 0 || end === this.virtualSizeBytes;
    const closesLeaves: LeafRun[] = isLast ? [{ first: leafOf(at), count: 1 }] : [];
    return {
      file: 0,
      fileOffset: at,
      fileBytes: length,
      pieces: [{ offset: at, length, fileOffset: at, fileBytes: length, encoding: 'plain' }],
      ...(isLast ? { closesLeaves } : {}),
    };
  }

  #contentIdOf(identity: string): string {
    return `raw size=${this.virtualSizeBytes} ${this.#main.name}|${identity}`;
  }
}
