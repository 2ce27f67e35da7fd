import { createReadStream, createWriteStream } from 'node:fs';
import { rename } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import type { Blob } from './layer.ts';
import { indexOfOne, LAYOUT_VERSION, type PlatformImage } from './oci-layout.ts';

type Content = string | Blob;

/** The image of one platform as an OCI layout in a tar archive: what containerd, skopeo, podman and RKE2's folder of images import with its digests kept. */
export function writeOciArchive(path: string, image: PlatformImage, name: string): Promise<void> {
  const blobs = [image.manifest, image.config, ...image.layers].map((blob) => [ociPath(blob), blob] as const);
  return writeArchive(path, [['oci-layout', LAYOUT_VERSION], ['index.json', indexOfOne(image, name)], ...blobs]);
}

/** The same as `docker save` writes it, for tools that know nothing else. Importing makes a new manifest, so its digest is another one afterwards. */
export function writeDockerArchive(path: string, image: PlatformImage, name: string): Promise<void> {
  const config = `${hex(image.config)}.json`;
  const layers = image.layers.map((layer) => [`${hex(layer)}.tar.gz`, layer] as const);
  const manifest = [{ Config: config, RepoTags: [name], Layers: layers.map(([file]) => file) }];
  return writeArchive(path, [['manifest.json', JSON.stringify(manifest)], [config, image.config], ...layers]);
}

/** In the order given: an importer that streams finds first what it needs first. */
async function writeArchive(
  path: string,
  members: readonly (readonly [name: string, content: Content])[],
): Promise<void> {
  const archive = pack();
  const written = pipeline(archive, createWriteStream(`${path}.new`));
  const packed = (async () => {
    for (const [name, content] of members) {
      const isText = typeof content === 'string';
      const size = isText ? Buffer.byteLength(content) : content.sizeBytes;
      const entry = archive.entry({ name, size, mode: 0o644, mtime: new Date(0) });
      await pipeline(isText ? [Buffer.from(content)] : createReadStream(content.path), entry);
    }
    archive.finalize();
  })();
  await Promise.all([written, packed]);
  await rename(`${path}.new`, path);
}

export function ociPath(blob: Blob): string {
  return `blobs/sha256/${hex(blob)}`;
}

function hex({ digest }: Blob): string {
  return digest.slice('sha256:'.length);
}
