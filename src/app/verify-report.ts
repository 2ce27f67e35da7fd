import type { CallOptions } from '../lib/call-options.ts';

/** One disk of a finished import, looked at again. */
export interface DiskVerification {
  readonly file: string;
  readonly status: 'identical' | 'different' | 'unverifiable';
  /** Ranges of the disk in bytes that differ. */
  readonly differences: readonly { readonly offset: number; readonly length: number }[];
  /** Why, when unverifiable. */
  readonly reason?: string;
}

export interface VerifyOptions extends CallOptions {
  readonly onProgress?: (progress: { readonly file: string; readonly doneBytes: number; readonly totalBytes: number }) => void;
}

/** Reads the disks of a finished import again and compares them with its report. @throws ProblemError `ReportUnusable` */
export type VerifyReport = (reportPath: string, options: VerifyOptions) => Promise<readonly DiskVerification[]>;
