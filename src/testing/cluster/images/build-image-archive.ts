import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { runProgram } from '../run-program.ts';

export interface TestImage {
  /** With a registry that exists nowhere, such as `airlift.test/busybox:1`: a pull of it can only fail. */
  readonly name: string;
  /** From path in the image to path on this machine. */
  readonly files: Readonly<Record<string, string>>;
  /** From path in the image to what it leads to. */
  readonly links?: Readonly<Record<string, string>>;
  /** Folders that are there and empty. */
  readonly folders?: readonly string[];
  readonly entrypoint: readonly string[];
}

/** Writes an OCI image archive with one layer, as `ctr images import` reads it. The same input gives the same bytes. */
export async function buildImageArchive(image: TestImage, path: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'airlift-image-'));
  try {
    const layer = await buildLayer(image, join(folder, 'root'));
    const layout = join(folder, 'layout');
    await mkdir(join(layout, 'blobs/sha256'), { recursive: true });
    const addBlob = async (mediaType: string, content: Uint8Array) => {
      const hex = sha256(content);
      await writeFile(join(layout, 'blobs/sha256', hex), content);
      return { mediaType: `application/vnd.oci.image.${mediaType}`, digest: `sha256:${hex}`, size: content.length };
    };
    const addJson = (mediaType: string, value: object) => addBlob(mediaType, Buffer.from(JSON.stringify(value)));

    const config = await addJson('config.v1+json', {
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config: { Entrypoint: image.entrypoint, Env: ['PATH=/bin'] },
      rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
    });
    const layers = [await addBlob('layer.v1.tar+gzip', gzipSync(layer))];
    const manifest = await addJson('manifest.v1+json', {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config,
      layers,
    });
    const annotations = { 'io.containerd.image.name': image.name };
    await writeFile(
      join(layout, 'index.json'),
      JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
    );
    await writeFile(join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
    await writeTar(layout, `${path}.partial`);
    await rename(`${path}.partial`, path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function buildLayer({ files, links = {}, folders = [] }: TestImage, root: string): Promise<Uint8Array> {
  for (const each of folders) await mkdir(join(root, each), { recursive: true });
  for (const [place, source] of Object.entries(files)) {
    await cp(source, join(root, place), { dereference: true });
  }
  for (const [place, target] of Object.entries(links)) {
    await mkdir(dirname(join(root, place)), { recursive: true });
    await symlink(target, join(root, place));
  }
  const tar = `${root}.tar`;
  await writeTar(root, tar);
  return readFile(tar);
}

function writeTar(folder: string, path: string): Promise<string> {
  const same = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0', '--mode=a+rX,u+w,go-w'];
  return runProgram('tar', [...same, '--directory', folder, '--create', '--file', path, '.']);
}

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
