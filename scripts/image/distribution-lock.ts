import { readFile, rename, writeFile } from 'node:fs/promises';
import { z } from 'zod';

const lockedFile = z.strictObject({
  version: z.string().min(1),
  /** Below the repository's own address. */
  path: z.string().regex(/^pool\/[^ ]+\.deb$/),
  sizeBytes: z.int().positive(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

const lockedPackage = z.strictObject({
  purpose: z.string().min(1),
  amd64: lockedFile.optional(),
  arm64: lockedFile.optional(),
});

const lockSchema = z.strictObject({
  /** Code name of the Debian release the packages are from. */
  release: z.string().min(1),
  packages: z.record(z.string(), lockedPackage),
});

export type LockedFile = z.infer<typeof lockedFile>;

/**
 * The distribution's packages in the image, each file by its digest. `release`, names and purposes are written by hand, the rest by `npm run image -- --update-lock`. Versions are
 * not older than this file: a mirror drops a version as soon as a newer one is out, and the build then says so instead of taking another.
 */
export type DistributionLock = z.infer<typeof lockSchema>;

export async function readDistributionLock(path: string): Promise<DistributionLock> {
  return lockSchema.parse(JSON.parse(await readFile(path, 'utf8')));
}

export async function writeDistributionLock(path: string, lock: DistributionLock): Promise<void> {
  await writeFile(`${path}.new`, `${JSON.stringify(lockSchema.parse(lock), undefined, 2)}\n`);
  await rename(`${path}.new`, path);
}
