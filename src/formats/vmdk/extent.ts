import type { CallOptions } from '../../lib/call-options.ts';
import type { Allocation, EncodedRange, RangesOptions } from '../../ports/disk-reader.ts';
import type { ImageFile } from '../../ports/image-file.ts';
import type { LeafLedger } from './leaf-claims.ts';

/** A file with random access and known length. */
export interface RangedFile {
  readonly name: string;
  readonly sizeBytes: number;
  read(offset: number, length: number, options?: CallOptions): Promise<Uint8Array>;
}

/** Undefined for a file that can only be read in order. */
export function rangedFile(file: ImageFile): RangedFile | undefined {
  const { name, sizeBytes } = file;
  if (!file.read || sizeBytes === undefined) return undefined;
  return { name, sizeBytes, read: file.read.bind(file) };
}

/** What one file of the image holds of the disk. */
export interface Extent {
  readonly allocation: Allocation;
  ranges(options: ExtentRangesOptions): AsyncIterable<EncodedRange>;
}

export interface ExtentRangesOptions extends RangesOptions {
  /** Every claim made when the extent was opened is settled here. */
  readonly ledger: LeafLedger;
}

/** Where a file's part of the disk lies. */
export interface Placement {
  /** Index of the file in the reader's list. */
  readonly file: number;
  /** Where in the disk the extent begins. */
  readonly diskOffset: number;
  readonly sizeBytes: number;
}
