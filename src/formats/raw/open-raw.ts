import { LEAF_BYTES, leafCount, leafOf, MAX_VIRTUAL_SIZE_BYTES } from '../../domain/digest-layout.ts';
import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import {
  type Allocation,
  type DiskReader,
  type EncodedRange,
  type LeafRun,
  MAX_RANGE_BYTES,
  type RangesOptions,
} from '../../ports/disk-reader.ts';
import type { DiskFiles, ImageFile } from '../../ports/image-file.ts';
import { ByteReader } from '../byte-reader.ts';
import { countData, dataRuns, leafRuns } from './data-runs.ts';

export interface OpenRawOptions extends CallOptions {
  /** What the source's description says; needed where the file's own size is not known before its end (compressed files). */
  readonly virtualSizeBytes?: number | undefined;
}

/**
 * Opens a raw image: the bytes of the disk, one after the other, a size that is no multiple of 512 included. Where the file system tells holes from data, holes are in no range;
 * otherwise every byte is in one. Where the file can only be read in order, ranges carry their bytes.
 * Disposing the reader disposes `files.main`; so does a failure to open.
 * @throws ProblemError `DiskSizeMismatch`, `DiskTooLarge`, `DiskFormatUnsupported` when nobody knows the size
 */
export async function openRaw(files: DiskFiles, options: OpenRawOptions = {}): Promise<DiskReader> {
  const { main } = files;
  try {
    const virtualSizeBytes = sizeOf(main, options.virtualSizeBytes);
    const allocation = await countData(main, virtualSizeBytes, { signal: options.signal });
    return new RawReader(main, virtualSizeBytes, allocation);
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
  readonly allocation: Allocation;
  readonly #main: ImageFile;

  constructor(main: ImageFile, virtualSizeBytes: number, allocation: Allocation) {
    this.#main = main;
    this.allocation = allocation;
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

  /** Each range waits until the next one is known, because only that tells which leaves the first one closes: its own, and those of the hole behind it. */
  async *#fileRanges({ signal, wants = () => true }: RangesOptions): AsyncGenerator<EncodedRange, void> {
    let held: EncodedRange | undefined;
    let openLeaf = 0;
    const settle = (nextLeaf: number): Generator<EncodedRange, void> => {
      const settled = withClosed(held, leafRuns(openLeaf, nextLeaf, wants));
      held = undefined;
      openLeaf = nextLeaf;
      return settled;
    };
    for await (const { offset, end } of dataRuns(this.#main, this.virtualSizeBytes, { signal })) {
      for (let at = offset; at < end; ) {
        const range = plainRange(at, Math.min(end, Math.floor(at / MAX_RANGE_BYTES + 1) * MAX_RANGE_BYTES) - at);
        at += range.fileBytes;
        if (!wants(leafOf(range.fileOffset))) continue;
        signal?.throwIfAborted();
        yield* settle(leafOf(range.fileOffset));
        held = range;
      }
    }
    yield* settle(leafCount(this.virtualSizeBytes));
  }

  async *#passingRanges({ signal, wants, observe }: RangesOptions): AsyncGenerator<EncodedRange, void> {
    const { name } = this.#main;
    const stream = this.#main.stream({ signal, observe: (storedOffset, bytes) => observe?.(0, storedOffset, bytes) });
    await using reader = new ByteReader(stream, { name });
    while (reader.position < this.virtualSizeBytes) {
      signal?.throwIfAborted();
      const at = reader.position;
      const range = this.#passingRange(at);
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
  #passingRange(at: number): EncodedRange {
    const length = Math.min(MAX_RANGE_BYTES, this.virtualSizeBytes - at);
    const end = at + length;
    const isLast = end % LEAF_BYTES === 0 || end === this.virtualSizeBytes;
    return { ...plainRange(at, length), ...(isLast ? { closesLeaves: [{ first: leafOf(at), count: 1 }] } : {}) };
  }

  #contentIdOf(identity: string): string {
    return `raw size=${this.virtualSizeBytes} ${this.#main.name}|${identity}`;
  }
}

function plainRange(at: number, length: number): EncodedRange {
  const piece = { offset: at, length, fileOffset: at, fileBytes: length, encoding: 'plain' } as const;
  return { file: 0, fileOffset: at, fileBytes: length, pieces: [piece] };
}

/** The range, if any, with the first list; further lists follow in ranges of no bytes. */
function* withClosed(
  range: EncodedRange | undefined,
  lists: Generator<LeafRun[], void>,
): Generator<EncodedRange, void> {
  const end = range === undefined ? 0 : range.fileOffset + range.fileBytes;
  let first = range;
  for (const closesLeaves of lists) {
    yield { ...(first ?? { file: 0, fileOffset: end, fileBytes: 0, pieces: [] }), closesLeaves };
    first = undefined;
  }
  if (first !== undefined) yield first;
}
