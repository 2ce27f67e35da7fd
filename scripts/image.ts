// Builds the container image: `npm run image [-- options]`, see docs/image.md.
import { join } from 'node:path';
import { readAptSources } from './image/apt-sources.ts';
import { buildImage } from './image/build-image.ts';
import { readDistributionLock, writeDistributionLock } from './image/distribution-lock.ts';
import { ImageError } from './image/image-error.ts';
import { IMAGE_USAGE, type ImageOptions, parseImageOptions } from './image/image-options.ts';
import { renderSummary } from './image/image-summary.ts';
import { renewLock } from './image/renew-lock.ts';
import { runProgram } from './image/run-program.ts';

const root = join(import.meta.dirname, '..');
const lockPath = join(root, 'image', 'packages.lock.json');

try {
  const options = parseImageOptions(process.argv.slice(2), root);
  if (options === undefined) console.log(IMAGE_USAGE);
  else if (options.updatesLock) await updateLock(options);
  else await build(options);
} catch (error) {
  if (!(error instanceof ImageError)) throw error;
  console.error(`airlift: ${error.message}`);
  process.exitCode = 1;
}

async function build(options: ImageOptions): Promise<void> {
  const started = performance.now();
  const lock = await readDistributionLock(lockPath);
  const summary = await buildImage(options, { root, lock, run: runProgram, say: (line) => console.error(line) });
  console.log(renderSummary(summary));
  console.error(`in ${options.out} after ${Math.round((performance.now() - started) / 1000)} s`);
}

async function updateLock({ platforms }: ImageOptions): Promise<void> {
  const lock = await readDistributionLock(lockPath);
  const renewed = await renewLock(lock, await readAptSources(runProgram), platforms, runProgram);
  await writeDistributionLock(lockPath, renewed);
  for (const [name, { amd64, arm64 }] of Object.entries(renewed.packages)) {
    const before = lock.packages[name]?.amd64?.version ?? 'new';
    const after = amd64?.version ?? arm64?.version ?? 'missing';
    console.log(before === after ? `${name} ${after}` : `${name} ${before} -> ${after}`);
  }
}
