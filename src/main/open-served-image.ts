import { leafCount } from '../domain/digest-layout.ts';
import { ProblemError } from '../domain/problems.ts';
import { createDecodePiece } from '../formats/decode-piece.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { DiskReader } from '../ports/disk-reader.ts';
import type { ServeImage } from '../ports/served-image.ts';
import type { StoredDigestResult } from '../ports/transfer.ts';
import { ImageServer } from '../targets/harvester-image/image-server.ts';
import { serveDisk } from '../targets/harvester-image/serve-disk.ts';
import { DigestTree, digestLeaf, leafBytes, zeroLeafDigest } from '../transfer/digest-tree.ts';
import { ManifestDigests } from '../transfer/manifest-digests.ts';
import { digestOf } from '../transfer/verify-disk.ts';
import { hashes, inflate } from './data-plane.ts';

/** Serves a disk as a file, and knows its digest by what passed. */
export const openServedImage: ServeImage = async (reader, options) => {
  const { token, port, rateLimiter, hashesUnlisted, onProgress, onFailure, signal } = options;
  const tree = new DigestTree(reader.virtualSizeBytes);
  const file = await serveDisk(reader, {
    decode: createDecodePiece(inflate.inflate),
    rateLimiter,
    // A leaf that is read again is the same one, or the source has changed, which is noticed as such.
    onLeaf: (leaf, bytes) => {
      if (!tree.hasLeaf(leaf)) tree.setLeaf(leaf, digestLeaf(bytes));
    },
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
      await file.readLeaves((leaf) => !tree.hasLeaf(leaf), call);
      // What is left has no piece: it reads as zeroes.
      for (let leaf = 0; leaf < leafCount(reader.virtualSizeBytes); leaf += 1)
        if (!tree.hasLeaf(leaf)) tree.setLeaf(leaf, zeroLeafDigest(leafBytes(reader.virtualSizeBytes, leaf)));
      return digestOf(tree);
    },
    compareStored: (call = {}) => compareStored(reader, hashesUnlisted, call),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
};

async function compareStored(
  { files }: DiskReader,
  hashesUnlisted: boolean,
  { signal }: CallOptions,
): Promise<readonly StoredDigestResult[]> {
  const digests = new ManifestDigests({ files, hashes, hashesUnlisted, saved: undefined });
  for (const [index, file] of files.entries()) {
    const digest = digests.byFile[index];
    if (digest === undefined) continue;
    const passing = file.stream({ signal, observe: (storedOffset, bytes) => digest.update(storedOffset, bytes) });
    for await (const _piece of passing) signal?.throwIfAborted();
  }
  const results = digests.finish();
  const wrong = results.find(({ expected, actual }) => expected !== undefined && expected !== actual);
  if (wrong === undefined) return results;
  const { name, algorithm, expected, actual } = wrong;
  throw new ProblemError('DigestMismatch', `${name} has ${algorithm} ${actual}; the manifest says ${expected}`, {
    context: { file: name },
  });
}
