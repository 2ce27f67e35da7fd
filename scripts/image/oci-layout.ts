import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DescribedLayer, type ImageFacts, imageConfig, imageLabels } from './image-config.ts';
import type { Blob } from './layer.ts';
import type { Platform } from './platforms.ts';

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';
const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json';
const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar+gzip';

/** `oci-layout` of OCI image specification 1.1. */
export const LAYOUT_VERSION = JSON.stringify({ imageLayoutVersion: '1.0.0' });

/** The image for one platform: everything its archives are made of. */
export interface PlatformImage {
  readonly platform: Platform;
  readonly manifest: Blob;
  readonly config: Blob;
  readonly layers: readonly DescribedLayer[];
}

/** Writes configuration and manifest beside the layers. */
export async function writePlatformImage(
  facts: ImageFacts,
  platform: Platform,
  layers: readonly DescribedLayer[],
  blobs: string,
): Promise<PlatformImage> {
  const config = await writeBlob(imageConfig(facts, platform, layers), blobs);
  const manifest = await writeBlob(
    {
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: descriptor(CONFIG_TYPE, config),
      layers: layers.map((layer) => descriptor(LAYER_TYPE, layer)),
      annotations: imageLabels(facts),
    },
    blobs,
  );
  return { platform, manifest, config, layers };
}

/** The index of all platforms, by which one name means the right image everywhere. */
export function writeImageIndex(facts: ImageFacts, images: readonly PlatformImage[], blobs: string): Promise<Blob> {
  const manifests = images.map(platformDescriptor);
  return writeBlob({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests, annotations: imageLabels(facts) }, blobs);
}

/** `index.json` of a layout with all platforms. */
export function indexOfAll(index: Blob, name: string): string {
  return layoutIndex({ ...descriptor(INDEX_TYPE, index), annotations: nameAnnotations(name) });
}

/** `index.json` of an archive with one platform only. */
export function indexOfOne(image: PlatformImage, name: string): string {
  return layoutIndex({ ...platformDescriptor(image), annotations: nameAnnotations(name) });
}

function layoutIndex(manifest: object): string {
  return JSON.stringify({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests: [manifest] });
}

function platformDescriptor({ manifest, platform }: PlatformImage): object {
  return {
    ...descriptor(MANIFEST_TYPE, manifest),
    platform: { architecture: platform.architecture, os: 'linux' },
  };
}

/** containerd takes the first as the whole name; skopeo, umoci and podman know the image by the second. */
function nameAnnotations(name: string): Readonly<Record<string, string>> {
  return {
    'io.containerd.image.name': name,
    'org.opencontainers.image.ref.name': name.slice(name.lastIndexOf(':') + 1),
  };
}

function descriptor(mediaType: string, { digest, sizeBytes }: Blob): object {
  return { mediaType, digest, size: sizeBytes };
}

async function writeBlob(value: object, folder: string): Promise<Blob> {
  const bytes = Buffer.from(JSON.stringify(value));
  const hex = createHash('sha256').update(bytes).digest('hex');
  const path = join(folder, hex);
  await mkdir(folder, { recursive: true });
  await writeFile(path, bytes);
  return { digest: `sha256:${hex}`, sizeBytes: bytes.length, path };
}
