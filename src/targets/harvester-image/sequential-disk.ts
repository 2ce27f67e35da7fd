import { leafCount } from '../../domain/digest-layout.ts';
import { forwardLeaves } from '../../formats/leaves/forward-leaves.ts';
import { refuseOneShot } from '../../formats/leaves/leaves-in-order.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { DiskReader } from '../../ports/disk-reader.ts';
import { etagOf, type ServeDiskOptions, type ServedFile } from './served-file.ts';

const SECTOR_BYTES = 512;

/**
 * A disk whose image can only be read from its start, as the raw bytes of the disk: their number is known though nobody knows yet which of them are data. Each reading reads the source
 * from its start. Filled up with zeroes to whole sectors, which Longhorn insists on.
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

  /** @throws ProblemError `SourceRangesRequired` */
  constructor(reader: DiskReader, options: ServeDiskOptions) {
    refuseOneShot(reader);
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

  #leaves({ signal }: CallOptions): AsyncGenerator<Uint8Array, void> {
    const signals = [signal, this.#options.signal].filter((each) => each !== undefined);
    return forwardLeaves(this.#reader, {
      ...this.#options,
      signal: signals.length === 0 ? undefined : AbortSignal.any(signals),
      onFetched: (bytes) => {
        this.#fetchedBytes += bytes;
      },
    });
  }
}
