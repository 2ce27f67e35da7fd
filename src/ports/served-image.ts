import type { CallOptions } from '../lib/call-options.ts';
import type { DiskReader } from './disk-reader.ts';
import type { DiskDigest, RateLimiter, StoredDigestResult } from './transfer.ts';

/** A disk that others download as a file, which lies nowhere. Disposing it ends all downloads; the reader stays the caller's. */
export interface ServedImage extends AsyncDisposable {
  readonly format: 'qcow2' | 'raw';
  readonly sizeBytes: number;
  /** Bytes of the file that hold the disk; the others are tables. */
  readonly dataBytes: number;
  /** Bytes that came from the source so far. */
  readonly fetchedBytes: number;
  /** The digest of the whole disk. Reads from the source what no download reached. @throws ProblemError the problems of source and format */
  digest(options?: CallOptions): Promise<DiskDigest>;
  /**
   * Reads the image's files once more in order and compares them with their manifest: downloads come at any place, so nobody has seen a file in order. Without a manifest nothing is read.
   * @throws ProblemError `DigestMismatch`, and the problems of the source
   */
  compareStored(options?: CallOptions): Promise<readonly StoredDigestResult[]>;
}

export interface ServeImageOptions {
  /** What the path has to begin with. */
  readonly token: string;
  readonly port: number;
  readonly rateLimiter?: RateLimiter | undefined;
  /** Compute digests also of files that no manifest mentions yet, because the source learns of it only at its end (Source.lateDigests). */
  readonly hashesUnlisted: boolean;
  /** Told how much of `dataBytes` the newest download has got. */
  readonly onProgress: (doneBytes: number) => void;
  /** Told what broke a download off. */
  readonly onFailure: (error: unknown) => void;
  readonly signal?: AbortSignal | undefined;
}

/** @throws ProblemError what opening the disk's map finds, `SourceRangesRequired` */
export type ServeImage = (reader: DiskReader, options: ServeImageOptions) => Promise<ServedImage>;
