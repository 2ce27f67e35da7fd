import type { CallOptions } from '../lib/call-options.ts';
import type { ImageFile } from './image-file.ts';

/** A disk on the source, opened for reading: where its encoded bytes lie and which part of the disk they hold. */
export interface DiskReader extends AsyncDisposable {
  /** Format and variant for people, such as `vmdk streamOptimized` or `qcow2 v3`. */
  readonly format: string;
  readonly virtualSizeBytes: number;
  /** Proof of identity: a transfer resumes only if this equals the value in its checkpoint. */
  readonly contentId: string;
  /** Asks the source again for the content id; differs from `contentId` when a file changed meanwhile. */
  readContentId(options?: CallOptions): Promise<string>;
  /** The files the image consists of. `EncodedRange.file` is an index into this list. */
  readonly files: readonly ImageFile[];
  /** True for a stream that can be read once only, such as an export lease. */
  readonly oneShot: boolean;
  /** How many bytes of the disk are data, so that progress and space need are right before the first byte. */
  readonly allocation: Allocation;
  /**
   * Yields the encoded ranges, file by file and in rising, non-overlapping order within a file. What no range holds is a hole: it reads as zeroes.
   * @throws ProblemError `DiskImageCorrupt`, `DiskImageTruncated` and the problems of the source
   */
  ranges(options?: RangesOptions): AsyncIterable<EncodedRange>;
}

export type Allocation =
  | { readonly kind: 'unknown' }
  /** `bytes` is somebody's word, for instance an OVF's populatedSize. */
  | { readonly kind: 'known'; readonly bytes: number }
  /** `bytes` was counted from the image's own map. */
  | { readonly kind: 'exact'; readonly bytes: number };

export interface RangesOptions extends CallOptions {
  /** Tells whether a leaf (LEAF_BYTES of the disk) is still wanted. Pieces that lie in unwanted leaves only are left out. */
  readonly wants?: ((leaf: number) => boolean) | undefined;
  /**
   * For readers that hand over `bytes`: is shown the stored bytes of each file, in order and up to the file's end, so that manifest digests can be
   * computed while they pass. Readers without `bytes` ignore it; whoever fetches their ranges does it.
   */
  readonly observe?: ((file: number, storedOffset: number, bytes: Uint8Array) => void) | undefined;
}

/** A run of one file's bytes and the pieces of the disk that lie in it. */
export interface EncodedRange {
  readonly file: number;
  readonly fileOffset: number;
  /** Length of the run; at most MAX_RANGE_BYTES unless a single piece is longer. 0 for a range that only closes leaves. */
  readonly fileBytes: number;
  /** Rising in file order, without overlap. */
  readonly pieces: readonly EncodedPiece[];
  /** The run itself, when the reader had to read it anyway (forward streams). Otherwise the consumer fetches it from `files[file]`. */
  readonly bytes?: Uint8Array;
  /**
   * Leaves that no later range touches: the image's map or marker proves it. Includes leaves that are all hole. A leaf that is never named here is
   * complete only at the end.
   */
  readonly closesLeaves?: readonly LeafRun[];
}

export interface LeafRun {
  readonly first: number;
  readonly count: number;
}

/** A grain, cluster or block: `fileBytes` bytes in the file that decode to `length` bytes of the disk at `offset`. */
export interface EncodedPiece {
  readonly offset: number;
  readonly length: number;
  /** Absolute in the file. */
  readonly fileOffset: number;
  readonly fileBytes: number;
  readonly encoding: PieceEncoding;
  /**
   * Most bytes it may unpack to, where that is more than `length`: the last grain or cluster of a disk that ends inside it. What lies beyond `length` is
   * dropped.
   */
  readonly unpackedBytes?: number;
}

/**
 * `plain`: the bytes themselves, `fileBytes === length`. The others are compressed: zlib wrapping (VMDK), zlib wrapping behind a VMDK grain marker that
 * repeats the address (`vmdk-grain`), raw deflate (qcow2), zstd (qcow2). A piece may decode to fewer bytes than `length` only where it reaches the end of the
 * disk, and compressed bytes may be followed by padding within `fileBytes`.
 */
export type PieceEncoding = 'plain' | 'zlib' | 'vmdk-grain' | 'deflate' | 'zstd';

export const MAX_RANGE_BYTES = 1024 * 1024;

/**
 * Decodes one piece, whose `fileBytes` bytes are `encoded`, into `out`, whose length is the piece's, and returns the bytes decoded. Never writes past `out`.
 * @throws ProblemError `DiskImageCorrupt`, `DiskGrainOversized`
 */
export type DecodePiece = (piece: EncodedPiece, encoded: Uint8Array, out: Uint8Array) => number;
