import { LEAF_BYTES } from '../../domain/digest-layout.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { AllocatedClusters } from './allocated-clusters.ts';
import { CLUSTER_BYTES } from './cluster-map.ts';
import { VirtualLayout } from './virtual-layout.ts';

/** Gives `length` bytes of the disk from `offset` on, holes as zeroes. Valid until the next call. */
export type ReadDisk = (offset: number, length: number, options?: CallOptions) => Promise<Uint8Array>;

export interface ReadRangeOptions extends CallOptions {
  /** Is told which part of the disk will be asked for soon, so that it may be fetched meanwhile. */
  readonly onAhead?: ((offset: number, length: number) => void) | undefined;
}

/** Runs of data that are announced before they are needed. */
const AHEAD_RUNS = 4;

/** The bytes of a qcow2 that nobody wrote: tables computed from the allocation, data read from the disk as it is asked for. */
export class VirtualQcow2 {
  readonly layout: VirtualLayout;
  readonly #virtualSizeBytes: number;
  readonly #readDisk: ReadDisk;

  constructor(allocated: AllocatedClusters, readDisk: ReadDisk) {
    this.layout = new VirtualLayout(allocated);
    this.#virtualSizeBytes = allocated.virtualSizeBytes;
    this.#readDisk = readDisk;
  }

  get fileBytes(): number {
    return this.layout.fileBytes;
  }

  /**
   * The bytes from `from` up to `to`, in order, in pieces of at most a leaf that are valid until the next one is asked for. Any number of ranges may be read at once.
   * @throws RangeError for a range that leaves the file, and what reading the disk throws
   */
  async *read(from: number, to: number, options: ReadRangeOptions = {}): AsyncGenerator<Uint8Array, void> {
    if (from < 0 || from > to || to > this.fileBytes)
      throw new RangeError(`bytes ${from} to ${to} leave the file of ${this.fileBytes}`);
    const { signal, onAhead } = options;
    const ahead = onAhead && this.#dataRuns(from, to);
    for (let runs = 0; ahead !== undefined && runs < AHEAD_RUNS; runs += 1) announce(ahead, onAhead);
    for (const part of this.#parts(from, to)) {
      signal?.throwIfAborted();
      if ('bytes' in part) {
        yield part.bytes;
        continue;
      }
      if (ahead !== undefined) announce(ahead, onAhead);
      yield* this.#readRun(part, { signal });
    }
  }

  /** Beyond the end of the disk its last cluster is zero. */
  async *#readRun({ offset, length }: DiskRun, options: CallOptions): AsyncGenerator<Uint8Array, void> {
    const inside = Math.max(0, Math.min(length, this.#virtualSizeBytes - offset));
    if (inside > 0) yield await this.#readDisk(offset, inside, options);
    if (inside < length) yield new Uint8Array(length - inside);
  }

  *#dataRuns(from: number, to: number): Generator<DiskRun, void> {
    for (const part of this.#parts(Math.max(from, this.layout.dataStart), to)) if (!('bytes' in part)) yield part;
  }

  /** Tables, and runs of the disk that lie behind each other in the file and in one leaf of the disk. */
  *#parts(from: number, to: number): Generator<{ readonly bytes: Uint8Array } | DiskRun, void> {
    let run: { offset: number; length: number } | undefined;
    for (let at = from; at < to; ) {
      const cluster = Math.floor(at / CLUSTER_BYTES);
      const begin = at - cluster * CLUSTER_BYTES;
      const end = Math.min(CLUSTER_BYTES, to - cluster * CLUSTER_BYTES);
      at = cluster * CLUSTER_BYTES + end;
      const what = this.layout.clusterAt(cluster);
      if (what.kind === 'table') {
        yield { bytes: what.bytes.subarray(begin, end) };
        continue;
      }
      const offset = what.guestCluster * CLUSTER_BYTES + begin;
      if (run !== undefined && run.offset + run.length === offset && offset % LEAF_BYTES !== 0) {
        run.length += end - begin;
        continue;
      }
      if (run !== undefined) yield run;
      run = { offset, length: end - begin };
    }
    if (run !== undefined) yield run;
  }
}

interface DiskRun {
  readonly offset: number;
  readonly length: number;
}

function announce(runs: Generator<DiskRun, void>, onAhead: ReadRangeOptions['onAhead']): void {
  const { value } = runs.next();
  if (value !== undefined) onAhead?.(value.offset, value.length);
}
