import { createDecodePiece } from '../formats/decode-piece.ts';
import type { ServeImage } from '../ports/served-image.ts';
import { ImageServer } from '../targets/harvester-image/image-server.ts';
import { serveDisk } from '../targets/harvester-image/serve-disk.ts';
import { inflate } from './data-plane.ts';
import { compareStored, PassingDigest } from './disk-proof.ts';

/** Serves a disk as a file, and knows its digest by what passed. */
export const openServedImage: ServeImage = async (reader, options) => {
  const { token, port, rateLimiter, hashesUnlisted, onProgress, onFailure, signal } = options;
  const digest = new PassingDigest(reader.virtualSizeBytes);
  const file = await serveDisk(reader, {
    decode: createDecodePiece(inflate.inflate),
    rateLimiter,
    onLeaf: (leaf, bytes) => digest.add(leaf, bytes),
    signal,
  });
  const onPosition = (position: number) => onProgress(Math.max(0, position - file.dataStart));
  const server = await ImageServer.start({ file, token, port, onPosition, onFailure });
  return {
    format: file.format,
    sizeBytes: file.sizeBytes,
    dataBytes: file.sizeBytes - file.dataStart,
    get fetchedBytes() {
      return file.fetchedBytes;
    },
    async digest(call = {}) {
      await file.readLeaves((leaf) => !digest.has(leaf), call);
      return digest.finish();
    },
    compareStored: (call = {}) => compareStored(reader, hashesUnlisted, call),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
};
