import type { ProblemError } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';

/**
 * One file of a disk image as the source stores it, wherever it lies: on a disk, inside an OVA, behind an HTTP server, in several chunks, compressed.
 * `docs/contracts/disk.md` tells how files, readers and writers play together.
 */
export interface ImageFile extends AsyncDisposable {
  /** For messages. */
  readonly name: string;
  /** Absent when only the end of the stream tells (compressed files). */
  readonly sizeBytes?: number;
  /** Proof of identity from what the source says without reading: size, modification time, ETag. Equal means unchanged. */
  readonly identity: string;
  /** Asks the source again for `identity`, to notice a file that changed while it was read. */
  readIdentity(options?: CallOptions): Promise<string>;
  /** Plain data from which a lane can open the file itself; absent when only this process can read it. */
  readonly origin?: FileOrigin;
  /** The server it comes from, so that requests to one server are counted together; absent for files of this machine. */
  readonly server?: string | undefined;
  /** Digests that a manifest gives, one per stored part, in order and together covering all stored bytes. Empty without a manifest. */
  readonly expectedDigests: readonly ExpectedDigest[];
  /**
   * The first bytes of the file (decompressed), `HEAD_BYTES` or all there are: enough to tell the format and to read what formats keep in front. Costs no second pass where
   * the file can only be read in order.
   */
  readHead(options?: CallOptions): Promise<Uint8Array>;
  /**
   * Reads exactly `length` bytes. Absent when the source can only be read in order.
   * @throws ProblemError `DiskImageTruncated` when the file ends before, and the problems of the source
   */
  read?(offset: number, length: number, options?: CallOptions): Promise<Uint8Array>;
  /**
   * The parts of the file that hold data, rising; what lies between them reads as zeroes. Absent where nobody can tell without reading. Bounds are those of the file system's
   * blocks, not of the content.
   */
  dataExtents?(options?: CallOptions): AsyncIterable<FileExtent>;
  /** Yields the bytes from `from` (default 0) to `to` (default: the end) in order, in pieces of any size. Stopping early closes the source. */
  stream(options?: StreamOptions): AsyncIterable<Uint8Array>;
}

export interface FileExtent {
  readonly offset: number;
  readonly length: number;
}

export interface StreamOptions extends CallOptions {
  readonly from?: number;
  readonly to?: number;
  /** Told of what went wrong and is tried again, so that whoever counts requests can hold back. */
  readonly onRetry?: ((problem: ProblemError) => void) | undefined;
  /** Is shown the stored bytes (before any decompression) in order, from where this stream begins. */
  readonly observe?: Observe | undefined;
}

export const HEAD_BYTES = 64 * 1024;

/** `storedOffset` counts in the stored file. The bytes are only valid during the call. */
export type Observe = (storedOffset: number, bytes: Uint8Array) => void;

export interface ExpectedDigest {
  /** Name as the manifest spells it. */
  readonly name: string;
  /** Length of this stored part. */
  readonly storedBytes: number;
  readonly algorithm: 'sha1' | 'sha256' | 'sha512';
  /** Lower-case hex. */
  readonly hex: string;
}

/** What a format needs to open an image: its first file, and the files that this one names (VMDK extents), which lie in the same folder. */
export interface DiskFiles {
  readonly main: ImageFile;
  /** @throws ProblemError `DiskFileMissing`, `ArchiveMemberUnsafe` when the name has a path */
  open(name: string, options?: CallOptions): Promise<ImageFile>;
}

export type FileOrigin = {
  readonly file: {
    readonly path: string;
    /** Where in the file at `path` this file begins. */
    readonly offset: number;
    readonly sizeBytes: number;
    /** Read past the page cache where the platform allows, because what the storage holds is the question, not what memory does. */
    readonly uncached?: boolean;
  };
};
