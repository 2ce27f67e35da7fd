import { leafCount } from '../domain/digest-layout.ts';
import { ProblemError } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { DiskReader } from '../ports/disk-reader.ts';
import type { DiskDigest, StoredDigestResult } from '../ports/transfer.ts';
import { DigestTree, digestLeaf, leafBytes, zeroLeafDigest } from '../transfer/digest-tree.ts';
import { ManifestDigests } from '../transfer/manifest-digests.ts';
import { digestOf } from '../transfer/verify-disk.ts';
import { hashes } from './data-plane.ts';

/** The digest of a disk by what passes of it, in whatever order. */
export class PassingDigest {
  readonly #tree: DigestTree;
  readonly #sizeBytes: number;

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
    this.#tree = new DigestTree(sizeBytes);
  }

  has(leaf: number): boolean {
    return this.#tree.hasLeaf(leaf);
  }

  /** A leaf that is read again is the same one, or the source has changed, which is noticed as such. */
  add(leaf: number, bytes: Uint8Array): void {
    if (!this.#tree.hasLeaf(leaf)) this.#tree.setLeaf(leaf, digestLeaf(bytes));
  }

  /** Of the whole disk. What did not pass has no piece: it reads as zeroes. */
  finish(): DiskDigest {
    for (let leaf = 0; leaf < leafCount(this.#sizeBytes); leaf += 1)
      if (!this.#tree.hasLeaf(leaf)) this.#tree.setLeaf(leaf, zeroLeafDigest(leafBytes(this.#sizeBytes, leaf)));
    return digestOf(this.#tree);
  }
}

/**
 * Reads an image's files once more in order and compares them with their manifest. Without one nothing is read.
 * @throws ProblemError `DigestMismatch`, and the problems of the source
 */
export async function compareStored(
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
