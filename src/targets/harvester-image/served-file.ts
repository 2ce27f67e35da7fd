import { createHash } from 'node:crypto';
import type { LeafOptions } from '../../formats/leaves/leaf-options.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { DiskReader } from '../../ports/disk-reader.ts';

/** A file as a downloader sees it, whether it lies anywhere or not. */
export interface ServedFile {
  readonly format: 'qcow2' | 'raw';
  readonly sizeBytes: number;
  /** Of which bytes from `dataStart` on are the disk's; those before it are tables. */
  readonly dataStart: number;
  /** Changes when the content does. */
  readonly etag: string;
  /** False for what can only be read from its start. */
  readonly hasRanges: boolean;
  /** Bytes that came from the source so far. */
  readonly fetchedBytes: number;
  /** In order; each piece is valid until the next one is asked for. @throws ProblemError the problems of source and format */
  read(from: number, to: number, options?: CallOptions): AsyncIterable<Uint8Array>;
  /** Reads, and shows to `onLeaf`, whatever leaf with data is wanted. @throws ProblemError as `read` */
  readLeaves(wants: (leaf: number) => boolean, options?: CallOptions): Promise<void>;
}

/** `onLeaf` is shown every leaf with data that was read. */
export type ServeDiskOptions = Omit<LeafOptions, 'onFetched'>;

/** The same for the same content, whichever process serves it: a download goes on with the next one. */
export function etagOf(format: string, { contentId, virtualSizeBytes }: DiskReader): string {
  const hash = createHash('sha256').update(`1 ${format} ${virtualSizeBytes} ${contentId}`);
  return `"${hash.digest('hex').slice(0, 32)}"`;
}
