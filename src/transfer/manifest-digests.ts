import type { ImageFile } from '../ports/image-file.ts';
import type { StoredDigestResult } from '../ports/transfer.ts';
import {
  type HashAlgorithm,
  type HashFactory,
  StoredDigest,
  type StoredDigestState,
  type StoredPart,
} from './stored-digest.ts';

/** What is computed while nobody knows yet which digest the manifest at the end of the archive will give. */
const ALL_ALGORITHMS: readonly HashAlgorithm[] = ['sha1', 'sha256', 'sha512'];

export interface ManifestDigestsOptions {
  readonly files: readonly ImageFile[];
  readonly hashes: HashFactory;
  /** Compute every algorithm over files without expected digests. */
  readonly hashesUnlisted: boolean;
  /** States of an earlier run, by file. */
  readonly saved: readonly (StoredDigestState | null)[] | undefined;
}

/** The digests of all files of one image, computed while their stored bytes pass. */
export class ManifestDigests {
  readonly #files: readonly ImageFile[];
  /** By file; undefined where nothing is to be checked. */
  readonly byFile: readonly (StoredDigest | undefined)[];

  constructor({ files, hashes, hashesUnlisted, saved }: ManifestDigestsOptions) {
    this.#files = files;
    this.byFile = files.map((file, index) => {
      const parts = partsOf(file, hashesUnlisted);
      return parts.length === 0 ? undefined : new StoredDigest(parts, hashes, saved?.[index] ?? undefined);
    });
  }

  /** Names of files that have to be read again from their start, because an earlier run's hashes could not be stored. */
  get filesReadAgain(): string[] {
    return this.#files.filter((_, index) => this.byFile[index]?.position === 0).map((file) => file.name);
  }

  saveStates(): (StoredDigestState | null)[] {
    return this.byFile.map((digest) => digest?.saveState() ?? null);
  }

  /** What the manifest says beside what passed. Call once, after the last byte. */
  finish(): StoredDigestResult[] {
    return this.#files.flatMap((file, index) =>
      (this.byFile[index]?.finish() ?? []).flatMap((hexes, part) => {
        const expected = file.expectedDigests[part];
        const algorithms = expected === undefined ? ALL_ALGORITHMS : [expected.algorithm];
        return algorithms.map((algorithm, at) => ({
          name: expected?.name ?? file.name,
          algorithm,
          expected: expected?.hex,
          actual: hexes[at] ?? '',
        }));
      }),
    );
  }
}

function partsOf(file: ImageFile, hashesUnlisted: boolean): StoredPart[] {
  if (file.expectedDigests.length > 0) {
    return file.expectedDigests.map(({ name, storedBytes, algorithm }) => ({
      name,
      storedBytes,
      algorithms: [algorithm],
    }));
  }
  if (!hashesUnlisted) return [];
  return [{ name: file.name, storedBytes: file.sizeBytes ?? Number.POSITIVE_INFINITY, algorithms: ALL_ALGORITHMS }];
}
