import type { CallOptions } from '../lib/call-options.ts';
import type { DiskReader } from './disk-reader.ts';
import type { ExpectedDigest } from './image-file.ts';
import type { MeasureSourceOptions, SourceRates } from './measure.ts';
import type { MachineTarget } from './target.ts';

/** The data plane as use cases see it: copies one disk, and compares a finished one with what was recorded. */
export interface DataPlane {
  /**
   * Copies one disk, verified and resumable.
   * @throws ProblemError `SourceChanged`, `PlanChanged`, `DigestMismatch`, `VerificationFailed`, and the problems of source, format and target. The partial result stays
   *   with the target in every case; the caller decides about it.
   */
  transferDisk(reader: DiskReader, options: TransferOptions): Promise<DiskResult>;
  /**
   * Reads, unpacks and hashes a part of a disk for a moment, writing nothing; undefined for a disk without data, or when none came in time.
   * @throws ProblemError the problems of the source and the format
   */
  measureSource(reader: DiskReader, options: MeasureSourceOptions): Promise<SourceRates | undefined>;
  /**
   * Reads a whole disk, the target's or once more the source's, and names the ranges that differ; empty when it is the same. The caller keeps the reader.
   * @throws ProblemError the problems of the source and the format
   */
  compareDisk(reader: DiskReader, expected: DiskDigest, options?: CompareOptions): Promise<DifferingRange[]>;
}

export interface TransferOptions extends CallOptions {
  readonly target: MachineTarget;
  /** Number of the disk on the target. */
  readonly index: number;
  readonly verify: VerifyMode;
  /** Compute every algorithm over files without expected digests, because the source learns those only at its end (Source.lateDigests). */
  readonly hashesUnlisted?: boolean;
  /** Slows the reading of the source down; may be shared by several disks. */
  readonly rateLimiter?: RateLimiter | undefined;
  readonly onProgress?: ((progress: DiskProgress) => void) | undefined;
  /** One sentence the user should know, such as that a resume has to read the source again. */
  readonly onRemark?: ((remark: string) => void) | undefined;
}

export type VerifyMode = 'readback' | 'none';

export interface DiskProgress {
  readonly phase: 'copy' | 'finish' | 'verify' | 'done';
  /** Bytes of the disk done in this phase. */
  readonly doneBytes: number;
  /** Undefined while nobody knows. */
  readonly totalBytes: number | undefined;
}

/** What became of one disk. */
export interface DiskResult {
  /** Format and variant on the source. */
  readonly format: string;
  readonly virtualSizeBytes: number;
  readonly dataBytes: number;
  /** Absent with `--verify none`. */
  readonly digest?: DiskDigest | undefined;
  readonly storedDigests: readonly StoredDigestResult[];
  readonly fetchedBytes: number;
  readonly writtenBytes: number;
  readonly copyMs: number;
  readonly verifyMs: number;
  /** How often the copy was continued after an interruption. */
  readonly resumes: number;
}

/** Digests of a whole disk (ruling 2; docs/contracts/disk.md): the root, and those of equal sections so that a difference can be placed. */
export interface DiskDigest {
  /** Hex. */
  readonly root: string;
  readonly sectionBytes: number;
  readonly sections: readonly string[];
}

/** One file of the image against its manifest; `expected` is absent when no manifest mentions it, or not yet (`hashesUnlisted`: one entry per algorithm). */
export interface StoredDigestResult {
  readonly name: string;
  readonly algorithm: ExpectedDigest['algorithm'];
  readonly expected?: string | undefined;
  readonly actual: string;
}

/** Lets bytes pass at a rate (lib/rate-limiter.ts). */
export interface RateLimiter {
  take(bytes: number, options?: CallOptions): Promise<void>;
  /** An equal part of the rate for one disk, however many connections it has. */
  share?(): RateLimiter;
}

export interface CompareOptions extends CallOptions {
  readonly rateLimiter?: RateLimiter | undefined;
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

export interface DifferingRange {
  readonly offset: number;
  readonly length: number;
}
