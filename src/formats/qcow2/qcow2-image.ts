import { ProblemError } from '../../domain/problems.ts';
import type { EncodedPiece } from '../../ports/disk-reader.ts';
import { HEAD_BYTES } from '../../ports/image-file.ts';
import type { StorageFile } from '../../ports/storage.ts';
import { decodePiece } from '../decode-piece.ts';
import { parseQcow2Header } from './layout.ts';
import { PieceBatch } from './piece-batch.ts';
import { Qcow2Tables } from './tables.ts';

/** Random reading of a finished image through its tables, for comparing it with what was to be written. */
export interface Qcow2Image {
  readonly virtualSizeBytes: number;
  /**
   * Fills `into` with what the disk holds at `offset`; holes as zeroes. Memory: 16 MiB of tables and one compressed cluster.
   * @throws ProblemError `DiskImageCorrupt`, `DiskImageTruncated`, `DiskGrainOversized`, and the problems of the storage
   */
  read(offset: number, into: Uint8Array): Promise<void>;
}

/** Clusters looked up at a time; more than one leaf has. */
const LOOK_UP_CLUSTERS = 1024;

/**
 * Opens any qcow2 that `openQcow2` reads. Entries are checked as they are met, but not whether two of them point to the same place. The caller keeps the file and
 * disposes it.
 * @throws ProblemError as `openQcow2`
 */
export async function openQcow2Image(file: StorageFile): Promise<Qcow2Image> {
  const fileBytes = await file.sizeBytes();
  const read = (offset: number, length: number) => readExactly(file, offset, new Uint8Array(length));
  const header = parseQcow2Header(await read(0, Math.min(HEAD_BYTES, fileBytes)), file.name);
  const tables = new Qcow2Tables({ header, read, fileBytes, name: file.name });
  const { virtualSizeBytes, clusterBytes } = header;
  const batch = new PieceBatch(LOOK_UP_CLUSTERS * 17);
  let queue: Promise<unknown> = Promise.resolve();

  async function readParts(offset: number, into: Uint8Array): Promise<void> {
    const end = offset + into.length;
    into.fill(0);
    for (let at = offset; at < end; ) {
      batch.count = 0;
      const wanted = Math.ceil((end - at) / clusterBytes) + 1;
      const sliceEnd = await tables.lookUp(at, Math.min(wanted, LOOK_UP_CLUSTERS), batch);
      for (let index = 0; index < batch.count; index += 1) {
        const piece = batch.piece(index, header);
        const from = Math.max(piece.offset, at);
        const to = Math.min(piece.offset + piece.length, end);
        if (from < to) await readPiece(file, piece, from - piece.offset, into.subarray(from - offset, to - offset));
      }
      at = sliceEnd;
    }
  }

  return {
    virtualSizeBytes,
    async read(offset, into) {
      if (offset + into.length > virtualSizeBytes) {
        throw new RangeError(`${into.length} bytes at ${offset} leave the disk of ${virtualSizeBytes}`);
      }
      // One after the other: they share the batch.
      const result = queue.then(() => readParts(offset, into));
      queue = result.catch(() => {});
      await result;
    },
  };
}

async function readPiece(file: StorageFile, piece: EncodedPiece, skip: number, into: Uint8Array): Promise<void> {
  if (piece.encoding === 'plain') {
    await readExactly(file, piece.fileOffset + skip, into);
    return;
  }
  const encoded = await readExactly(file, piece.fileOffset, new Uint8Array(piece.fileBytes));
  const whole = new Uint8Array(piece.length);
  decodePiece(piece, encoded, whole);
  into.set(whole.subarray(skip, skip + into.length));
}

async function readExactly(file: StorageFile, offset: number, into: Uint8Array): Promise<Uint8Array> {
  const bytes = await file.read(offset, into);
  if (bytes === into.length) return into;
  throw new ProblemError(
    'DiskImageTruncated',
    `${file.name} ends at byte ${offset + bytes}; ${into.length} bytes were expected from byte ${offset}`,
  );
}
