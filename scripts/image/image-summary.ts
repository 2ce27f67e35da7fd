import type { ImageFacts } from './image-config.ts';
import type { Blob } from './layer.ts';
import type { PlatformImage } from './oci-layout.ts';

/** `image.json` beside the layout: what was built, for people and for what packs it. */
export interface ImageSummary {
  /** As a manifest names it, with its tag. */
  readonly name: string;
  readonly version: string;
  readonly revision: string;
  /** Of the index of all platforms. */
  readonly digest: string;
  readonly platforms: readonly PlatformSummary[];
}

export interface PlatformSummary {
  readonly platform: string;
  /** Of the manifest, which importing the OCI archive keeps. */
  readonly digest: string;
  readonly compressedBytes: number;
  readonly layers: readonly {
    readonly description: string;
    readonly digest: string;
    readonly diffId: string;
    readonly sizeBytes: number;
  }[];
  /** File names beside `image.json`. */
  readonly ociArchive: string;
  readonly dockerArchive: string;
  readonly billOfMaterials: string;
}

export function summarize(
  name: string,
  { version, revision }: ImageFacts,
  index: Blob,
  built: readonly { readonly image: PlatformImage; readonly base: string }[],
): ImageSummary {
  return {
    name,
    version,
    revision,
    digest: index.digest,
    platforms: built.map(({ image: { platform, manifest, layers }, base }) => ({
      platform: `linux/${platform.architecture}`,
      digest: manifest.digest,
      compressedBytes: layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      layers: layers.map(({ description, digest, diffId, sizeBytes }) => ({ description, digest, diffId, sizeBytes })),
      ociArchive: `${base}.oci.tar`,
      dockerArchive: `${base}.docker.tar`,
      billOfMaterials: `${base}.cdx.json`,
    })),
  };
}

export function renderSummary(summary: ImageSummary): string {
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1).padStart(6)} MB`;
  const lines = summary.platforms.flatMap(({ platform, digest, compressedBytes, layers }) => [
    `${platform}  ${digest}`,
    ...layers.map(({ description, sizeBytes }) => `  ${megabytes(sizeBytes)}  ${description}`),
    `  ${megabytes(compressedBytes)}  together, compressed`,
  ]);
  return [`${summary.name}  ${summary.digest}`, `from ${summary.revision}`, ...lines].join('\n');
}
