import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { arch } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { filesBelow } from '../../scripts/image/files-below.ts';
import type { ImageSummary } from '../../scripts/image/image-summary.ts';
import { lockFile } from '../../src/testing/go/build-go.ts';
import { cacheFolder } from '../../src/testing/go/cache-folder.ts';
import { ROOT } from '../support.ts';

const run = promisify(execFile);
/** Of other sources than today's. */
const KEPT_MS = 24 * 3600 * 1000;

export interface TestImage {
  /** As a Pod names it. */
  readonly name: string;
  readonly archive: string;
}

/** The product's own image for this machine's processor, as `npm run image` makes it. Made once of the same files: several suites want it, one after the other. */
export async function buildTestImage(): Promise<TestImage> {
  const place = cacheFolder('test-image', await hashOfInputs());
  await mkdir(dirname(place), { recursive: true });
  await using _lock = await lockFile(`${dirname(place)}.lock`);
  if (!existsSync(place)) {
    await removeOld(dirname(place));
    await build(place);
  }
  const summary: ImageSummary = JSON.parse(await readFile(join(place, 'image.json'), 'utf8'));
  const [built] = summary.platforms;
  if (built === undefined) throw new Error('no image for this platform was built');
  return { name: summary.name, archive: join(place, built.ociArchive) };
}

async function build(place: string): Promise<void> {
  const unfinished = await mkdtemp(`${place}.partial-`);
  try {
    const platform = arch() === 'arm64' ? 'arm64' : 'amd64';
    const script = join(ROOT, 'scripts/image.ts');
    await run(process.execPath, [script, '--platform', platform, '--out', unfinished], {
      cwd: ROOT,
      maxBuffer: 16 * 1024 * 1024,
    });
    await rename(unfinished, place);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

/** Of everything that becomes part of it or decides how it is made. */
async function hashOfInputs(): Promise<string> {
  const hash = createHash('sha256');
  const below = await Promise.all(['src', 'bin', 'image', 'scripts'].map((folder) => filesBelow(ROOT, folder)));
  const single = ['LICENSE', 'package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'];
  const paths = [...below.flat(), ...single].filter((path) => !path.endsWith('.test.ts')).toSorted();
  for (const path of paths) {
    const bytes = await readFile(join(ROOT, path));
    hash.update(`${path} ${bytes.length}\n`).update(bytes);
  }
  return hash.digest('hex').slice(0, 16);
}

async function removeOld(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if (Date.now() - (await stat(path)).mtimeMs > KEPT_MS) await rm(path, { recursive: true, force: true });
  }
}
