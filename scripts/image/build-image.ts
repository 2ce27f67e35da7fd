import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { allEnded } from './all-ended.ts';
import { buildApplicationLayer } from './application-layer.ts';
import { billOfMaterials } from './bill-of-materials.ts';
import { type BuildContext, buildLayers } from './build-layers.ts';
import { checkLibraries } from './check-libraries.ts';
import type { Component } from './component.ts';
import { writeDockerArchive, writeOciArchive } from './image-archives.ts';
import type { DescribedLayer, ImageFacts } from './image-config.ts';
import { ImageError } from './image-error.ts';
import { fullImageName } from './image-name.ts';
import type { ImageOptions } from './image-options.ts';
import { type ImageSummary, summarize } from './image-summary.ts';
import type { ImageTree } from './image-tree.ts';
import { writeLayer } from './layer.ts';
import { indexOfAll, LAYOUT_VERSION, type PlatformImage, writeImageIndex, writePlatformImage } from './oci-layout.ts';
import type { Platform } from './platforms.ts';
import type { RunProgram } from './run-program.ts';
import { readSourceState } from './source-state.ts';

/** Compressed, of each platform. */
const MOST_BYTES = 150_000_000;

interface BuiltPlatform {
  readonly image: PlatformImage;
  readonly components: readonly Component[];
}

/**
 * Builds the image into `options.out`, of which it replaces only what an earlier build made: an OCI layout with all platforms, and for each an OCI archive, a docker archive and a bill
 * of materials, named by `image.json`, which comes last.
 * @throws ImageError
 */
export async function buildImage(options: ImageOptions, context: BuildContext): Promise<ImageSummary> {
  const facts = await readFacts(context.root, context.run);
  const name = fullImageName(options.name, facts.version);
  const layout = join(options.out, 'oci');
  const blobs = join(layout, 'blobs', 'sha256');
  const summaryPath = join(options.out, 'image.json');
  await Promise.all([layout, summaryPath].map((path) => rm(path, { recursive: true, force: true })));
  await mkdir(blobs, { recursive: true });

  const built = await buildPlatforms(options.platforms, facts, blobs, context);
  const images = built.map(({ image }) => image);
  const index = await writeImageIndex(facts, images, blobs);
  await writeFile(join(layout, 'oci-layout'), LAYOUT_VERSION);
  await writeFile(join(layout, 'index.json'), indexOfAll(index, name));
  const named = built.map((each) => ({
    ...each,
    base: `airlift-${facts.version}-linux-${each.image.platform.architecture}`,
  }));
  for (const { image, components, base } of named) {
    const path = join(options.out, base);
    await writeOciArchive(`${path}.oci.tar`, image, name);
    await writeDockerArchive(`${path}.docker.tar`, image, name);
    await writeJson(`${path}.cdx.json`, billOfMaterials(facts, name, image, components));
  }
  const summary = summarize(name, facts, index, named);
  refuseTooLarge(summary);
  await writeJson(summaryPath, summary);
  return summary;
}

/** At once: most of the time goes into compressing the executable of Node, which takes one core for each. */
async function buildPlatforms(
  platforms: readonly Platform[],
  facts: ImageFacts,
  blobs: string,
  context: BuildContext,
): Promise<readonly BuiltPlatform[]> {
  const work = await mkdtemp(join(tmpdir(), 'airlift-image-'));
  try {
    const application = await buildApplicationLayer(context.root, work);
    return await allEnded(
      platforms.map((platform) => buildPlatform(platform, facts, application, { blobs, work, context })),
    );
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function buildPlatform(
  platform: Platform,
  facts: ImageFacts,
  application: ImageTree,
  { blobs, work, context }: { readonly blobs: string; readonly work: string; readonly context: BuildContext },
): Promise<BuiltPlatform> {
  const { layers, components } = await buildLayers(platform, join(work, platform.architecture), context);
  const all = [...layers, { tree: application, description: `Airlift ${facts.version}` }];
  const count = checkLibraries(
    all.map(({ tree }) => tree),
    platform,
  );
  context.say(`linux/${platform.architecture}: ${count} executables and libraries find what they are linked to`);
  const written: DescribedLayer[] = [];
  for (const { tree, description } of all) written.push({ ...(await writeLayer(tree, blobs)), description });
  return { image: await writePlatformImage(facts, platform, written, blobs), components };
}

async function readFacts(root: string, run: RunProgram): Promise<ImageFacts> {
  const { version, description, license } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  // Plain JavaScript without types, since it has to start where nothing is installed.
  const launcher = await import(pathToFileURL(join(root, 'bin', 'node-binary.js')).href);
  const state = await readSourceState(root, process.env, run);
  return { version, description, license, nodeFlags: launcher.NODE_FLAGS, ...state };
}

async function writeJson(path: string, value: object): Promise<void> {
  await writeFile(path, `${JSON.stringify(value, undefined, 2)}\n`);
}

function refuseTooLarge({ platforms }: ImageSummary): void {
  const tooLarge = platforms.find(({ compressedBytes }) => compressedBytes > MOST_BYTES);
  if (tooLarge === undefined) return;
  throw new ImageError(
    `the image for ${tooLarge.platform} has ${tooLarge.compressedBytes} bytes compressed, of which ${MOST_BYTES} are allowed`,
  );
}
