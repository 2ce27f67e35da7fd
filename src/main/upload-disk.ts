import { createDecodePiece } from '../formats/decode-piece.ts';
import { leavesInOrder } from '../formats/leaves/leaves-in-order.ts';
import type { UploadDisk } from '../ports/upload.ts';
import { uploadBytes } from '../targets/data-volume/upload-bytes.ts';
import { inflate } from './data-plane.ts';
import { compareStored, PassingDigest } from './disk-proof.ts';

/** Sends a disk in its order, and knows its digest by what passed. */
export const uploadDisk: UploadDisk = async (reader, options) => {
  const { ticket, rateLimiter, hashesUnlisted, isProven, onProgress, signal } = options;
  const digest = isProven ? new PassingDigest(reader.virtualSizeBytes) : undefined;
  let fetchedBytes = 0;
  const leafOptions = {
    decode: createDecodePiece(inflate.inflate),
    rateLimiter,
    onLeaf: digest && ((leaf: number, bytes: Uint8Array) => digest.add(leaf, bytes)),
    onFetched: (bytes: number) => {
      fetchedBytes += bytes;
    },
    signal,
  };
  let sentBytes = 0;
  if (ticket !== undefined) sentBytes = await uploadBytes(reader, { ...leafOptions, ticket, onProgress });
  else if (isProven) for await (const _leaf of leavesInOrder(reader, leafOptions)) signal?.throwIfAborted();
  const storedDigests = isProven ? await compareStored(reader, hashesUnlisted, { signal }) : [];
  return { digest: digest?.finish(), storedDigests, fetchedBytes, sentBytes };
};
