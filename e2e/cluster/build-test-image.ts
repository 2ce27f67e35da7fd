import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { arch } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ImageSummary } from '../../scripts/image/image-summary.ts';
import { ROOT } from '../support.ts';

const run = promisify(execFile);

export interface TestImage {
  /** As a Pod names it. */
  readonly name: string;
  readonly archive: string;
}

/** The product's own image for this machine's processor, as `npm run image` makes it. */
export async function buildTestImage(folder: string): Promise<TestImage> {
  const out = join(folder, 'image');
  const platform = arch() === 'arm64' ? 'arm64' : 'amd64';
  await run(process.execPath, [join(ROOT, 'scripts/image.ts'), '--platform', platform, '--out', out], {
    cwd: ROOT,
    maxBuffer: 16 * 1024 * 1024,
  });
  const summary: ImageSummary = JSON.parse(await readFile(join(out, 'image.json'), 'utf8'));
  const [built] = summary.platforms;
  if (built === undefined) throw new Error(`no image for ${platform} was built`);
  return { name: summary.name, archive: join(out, built.ociArchive) };
}
