/**
 * What crosses the border to a lane, a thread that decodes, hashes and writes on its own: plain data only, from which the lane opens the target itself.
 */
export type LaneTarget =
  /** The disk's bytes at their own offsets in a file or block device. */
  | { readonly raw: { readonly path: string; readonly name: string } }
  /** Clusters of 64 KiB wherever there is room, taken from a counter that all lanes share. */
  | {
      readonly qcow2: {
        readonly path: string;
        readonly name: string;
        readonly compression: 'none' | 'zstd';
        /** One 64-bit integer: the first host cluster that nothing lies in. Taken by Atomics.add. */
        readonly nextCluster: SharedArrayBuffer;
      };
    };

/** Where a block of the disk was put in the image file. */
export interface LanePlace {
  /** In blocks of the disk. */
  readonly block: number;
  /** In sectors of the file. */
  readonly position: number;
  /** Sectors of a compressed block; 0 for one that is stored as it is. */
  readonly packedSectors: number;
}

/** The target as a lane sees it. All calls block the lane, and only the lane. */
export interface LaneWriter extends Disposable {
  /**
   * Writes whole blocks, one behind the other, from `offset` on. Durable only after the DiskWriter's `flush`.
   * @throws ProblemError `TargetFull`, `TargetWriteFailed`
   */
  write(offset: number, blocks: Uint8Array): readonly LanePlace[];
}

export type OpenLaneWriter = (target: LaneTarget, virtualSizeBytes: number) => LaneWriter;

/**
 * Unpacks a whole compressed stream into `out`, without writing past it, and returns the bytes written; bytes behind the stream's end are ignored.
 * @throws InflateError
 */
export type Inflate = (wrapping: 'zlib' | 'raw', packed: Uint8Array, out: Uint8Array) => number;

/** Told apart by who calls: what does not fit may be a bomb, what is no stream is damage. */
export class InflateError extends Error {
  readonly kind: 'corrupt' | 'tooLong';

  constructor(kind: 'corrupt' | 'tooLong', options?: ErrorOptions) {
    super(kind === 'tooLong' ? 'the stream unpacks to more than there is room for' : 'not a whole stream', options);
    this.kind = kind;
  }
}
