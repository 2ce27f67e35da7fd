import type { DiskReader } from './disk-reader.ts';
import type { DiskDigest, RateLimiter, StoredDigestResult } from './transfer.ts';

/** Where a disk may be sent to once. */
export interface UploadTicket {
  readonly url: string;
  /** For this one volume, and for minutes only. */
  readonly token: string;
  /** PEM; the system's own where absent. */
  readonly ca?: string | undefined;
}

export interface UploadOptions {
  /** Absent: the disk is there already, and is only to be known. */
  readonly ticket: UploadTicket | undefined;
  readonly rateLimiter?: RateLimiter | undefined;
  /** Compute digests also of files that no manifest mentions yet (Source.lateDigests). */
  readonly hashesUnlisted: boolean;
  /** False: nothing is hashed, and the manifest not looked at. */
  readonly isProven: boolean;
  /** Told how much of the disk was sent. */
  readonly onProgress: (doneBytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface UploadedDisk {
  readonly digest?: DiskDigest | undefined;
  readonly storedDigests: readonly StoredDigestResult[];
  readonly fetchedBytes: number;
  readonly sentBytes: number;
}

/**
 * Sends a whole disk, raw and in its order, and reads it where it is to be proven. Returns when the receiver says that it has written it.
 * @throws ProblemError `UploadRefused`, `UploadFailed`, `ImageNotInOrder`, `DigestMismatch`, and the problems of source and format
 */
export type UploadDisk = (reader: DiskReader, options: UploadOptions) => Promise<UploadedDisk>;
