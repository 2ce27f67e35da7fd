import { ProblemError } from '../../domain/problems.ts';
import type { Manifest } from '../../formats/ova/manifest.ts';
import { hrefNames, safeMemberName } from '../../formats/ova/member-name.ts';
import type { OvfFile } from '../../formats/ova/ovf-package.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { ImageFile } from '../../ports/image-file.ts';
import type { ApplianceFiles, FileDigest, Located } from './appliance-files.ts';
import { ChunkedFile } from './chunked-file.ts';
import { GunzippedFile } from './gunzipped-file.ts';

/** Where the file that the descriptor names lies: one part, or its chunks in order. */
export interface StoredParts {
  readonly parts: readonly StoredPart[];
  /** Set when the file is in chunks. */
  readonly chunkBytes?: number;
}

export interface StoredPart {
  /** As the descriptor spells it, chunk number included. */
  readonly href: string;
  readonly located: Located;
}

/** More chunks than this are a mistake or an attack: the tar reader has the same bound. */
const MAX_CHUNKS = 4096;

/** @throws ProblemError `DiskFileMissing` naming the part, `OvfMalformed`, `SourceRangesRequired` */
export async function findStoredParts(
  files: ApplianceFiles,
  file: OvfFile,
  options: CallOptions,
): Promise<StoredParts> {
  const { chunkBytes } = file;
  if (chunkBytes === undefined) return { parts: [await requirePart(files, file.href, options)] };
  if (file.sizeBytes === undefined && files.isStreamed) {
    throw new ProblemError('SourceRangesRequired', `the descriptor does not say how many chunks ${file.href} has`);
  }
  const count = file.sizeBytes === undefined ? MAX_CHUNKS : Math.ceil(file.sizeBytes / chunkBytes);
  if (count > MAX_CHUNKS) {
    throw new ProblemError(
      'OvfMalformed',
      `${file.href} would have ${count} chunks of ${chunkBytes} bytes; at most ${MAX_CHUNKS} are read`,
    );
  }
  const parts: StoredPart[] = [];
  for (let index = 0; index < count; index += 1) {
    const href = chunkName(file.href, index);
    const located = await locate(files, href, options);
    if (located) parts.push({ href, located });
    else if (index > 0 && file.sizeBytes === undefined) break;
    // Some writers name a chunk size and leave small files whole.
    else if (index === 0) return { parts: [await requirePart(files, file.href, options)] };
    else throw missing(files, href);
  }
  return { parts, chunkBytes };
}

/** Opens the file, put together and unpacked, with the digests that the manifest gives for its parts. */
export async function openStoredFile(
  files: ApplianceFiles,
  file: OvfFile,
  manifest: Manifest | undefined,
  options: CallOptions,
): Promise<ImageFile> {
  const stored = await findStoredParts(files, file, options);
  const image = await openParts(files, file, stored, manifest, options);
  return file.compression === 'gzip' ? new GunzippedFile(image) : image;
}

async function openParts(
  files: ApplianceFiles,
  file: OvfFile,
  { parts, chunkBytes }: StoredParts,
  manifest: Manifest | undefined,
  options: CallOptions,
): Promise<ImageFile> {
  const [first] = parts;
  if (!first) throw missing(files, file.href);
  if (chunkBytes === undefined) return await files.open(first.located, digestOf(manifest, first.href), options);

  const sizeBytes = file.sizeBytes ?? parts.reduce((sum, { located }) => sum + (located.sizeBytes ?? 0), 0);
  const digests = parts.map(({ href }) => digestOf(manifest, href));
  const expectedDigests = digests.flatMap((digest, index) =>
    digest ? [{ ...digest, storedBytes: Math.min(chunkBytes, sizeBytes - index * chunkBytes) }] : [],
  );
  const openPart = async (index: number, call: CallOptions) => {
    const part = parts[index];
    if (!part) throw missing(files, chunkName(file.href, index));
    return await files.open(part.located, undefined, call);
  };
  return await ChunkedFile.open(
    {
      name: file.href,
      sizeBytes,
      chunkBytes,
      openPart,
      // Digests count only together: they must cover every stored byte.
      expectedDigests: expectedDigests.length === parts.length ? expectedDigests : [],
      hasRanges: !files.isStreamed,
    },
    options,
  );
}

/** What the manifest says about a file, under any of the names it may have there. */
export function digestOf(manifest: Manifest | undefined, href: string): FileDigest | undefined {
  if (!manifest) return undefined;
  const paths = hrefNames(href);
  for (const name of [href, ...paths, ...paths.map(safeMemberName)]) {
    const digest = manifest.entries.get(name);
    if (digest) return { name, ...digest };
  }
  return undefined;
}

function chunkName(href: string, index: number): string {
  return `${href}.${String(index).padStart(9, '0')}`;
}

async function requirePart(files: ApplianceFiles, href: string, options: CallOptions): Promise<StoredPart> {
  const located = await locate(files, href, options);
  if (!located) throw missing(files, href);
  return { href, located };
}

async function locate(files: ApplianceFiles, href: string, options: CallOptions): Promise<Located | undefined> {
  for (const path of hrefNames(href)) {
    const located = await files.locate(path, options);
    if (located) return located;
  }
  return undefined;
}

function missing(files: ApplianceFiles, href: string): ProblemError {
  return new ProblemError('DiskFileMissing', `${JSON.stringify(href)} is not in ${files.name}`);
}
