import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { LockedFile } from './distribution-lock.ts';
import { ImageError } from './image-error.ts';
import type { RunProgram } from './run-program.ts';

/** Fetches one address with apt's own proxies, certificates and passwords, and checks it before it gets its name. */
const APT_HELPER = '/usr/lib/apt/apt-helper';

export interface FetchOptions {
  /** Addresses of repositories, each ending with a slash. */
  readonly repositories: readonly string[];
  /** Files are kept here by their digest. */
  readonly cache: string;
  readonly run: RunProgram;
}

/**
 * The path of a package's file that has exactly the locked digest.
 * @throws ImageError when no repository has this version any more, with its name and what to run
 */
export async function fetchPackage(name: string, file: LockedFile, options: FetchOptions): Promise<string> {
  const { repositories, cache, run } = options;
  await mkdir(cache, { recursive: true });
  const path = join(cache, `${name}-${file.sha256}.deb`);
  if (await hasDigest(path, file.sha256)) return path;

  const unchecked = `${path}.new`;
  const answers: string[] = [];
  for (const repository of repositories) {
    const uri = `${repository}${file.path.split('/').map(encodeURIComponent).join('/')}`;
    const args = ['-o', 'APT::Sandbox::User=root', 'download-file', uri, unchecked, `SHA256:${file.sha256}`];
    const { status, stderr } = await run(APT_HELPER, args);
    if (status === 0 && (await hasDigest(unchecked, file.sha256))) {
      await rename(unchecked, path);
      return path;
    }
    answers.push(`${uri}: ${stderr.trim().split('\n').at(-1) ?? `status ${status}`}`);
    // What apt left of a failed download must not be continued with.
    await Promise.all([unchecked, `${unchecked}.FAILED`].map((each) => rm(each, { force: true })));
  }
  throw new ImageError(
    `${name} ${file.version} cannot be had from the repositories of this machine's apt; when they have a newer version, run npm run image -- --update-lock and commit the change\n  ${answers.join('\n  ')}`,
  );
}

async function hasDigest(path: string, sha256: string): Promise<boolean> {
  try {
    return (
      createHash('sha256')
        .update(await readFile(path))
        .digest('hex') === sha256
    );
  } catch {
    // Not fetched yet.
    return false;
  }
}
