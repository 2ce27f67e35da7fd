import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { billOfMaterials } from './bill-of-materials.ts';
import type { Component } from './component.ts';
import { ociPath, writeDockerArchive, writeOciArchive } from './image-archives.ts';
import type { ImageFacts } from './image-config.ts';
import { renderSummary, summarize } from './image-summary.ts';
import { ImageTree } from './image-tree.ts';
import { writeLayer } from './layer.ts';
import { indexOfAll, type PlatformImage, writeImageIndex, writePlatformImage } from './oci-layout.ts';
import { PLATFORMS, parsePlatforms } from './platforms.ts';
import { readTar } from './testing/read-tar.ts';
import { scratchFolder } from './testing/scratch-folder.ts';

const NAME = 'registry.local/tools/airlift:0.1.0';
const FACTS: ImageFacts = {
  version: '0.1.0',
  revision: 'c0ffee',
  createdAt: new Date(1_750_000_000_000),
  description: 'Imports machines',
  license: 'Apache-2.0',
  nodeFlags: ['--flag'],
};
const COMPONENTS: readonly Component[] = [
  {
    kind: 'library',
    name: 'zod',
    version: '4.6.7',
    purl: 'pkg:npm/zod@4.6.7',
    licenses: ['MIT'],
    digest: { algorithm: 'SHA-512', value: 'ab' },
  },
  {
    kind: 'library',
    name: 'libc6',
    version: '2.36',
    purl: 'pkg:deb/debian/libc6@2.36',
    licenses: ['GPL-2+', 'LGPL-2.1'],
  },
  {
    kind: 'platform',
    name: 'node',
    version: '24.21.0',
    purl: 'pkg:npm/node@24.21.0',
    licenses: [],
    cpe: 'cpe:node',
    parts: [{ kind: 'library', name: 'openssl', version: '3.5.4', purl: 'pkg:generic/openssl@3.5.4', licenses: [] }],
  },
];

async function buildSmall(folder: string, architecture = 'amd64'): Promise<PlatformImage> {
  const [platform] = parsePlatforms(architecture);
  if (platform === undefined) throw new Error(`no ${architecture}`);
  const trees = ['below', 'above'].map((text) => {
    const tree = new ImageTree();
    tree.addFile(`${text}.txt`, text);
    return tree;
  });
  const layers = await Promise.all(
    trees.map(async (tree, index) => ({ ...(await writeLayer(tree, folder)), description: `layer ${index}` })),
  );
  return writePlatformImage(FACTS, platform, layers, folder);
}

const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8'));
const sha256 = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

describe('an image', () => {
  test('starts Node itself, as a user that is not root, with nothing between', async () => {
    using folder = scratchFolder();
    const image = await buildSmall(folder.path);
    expect(readJson(image.config.path)).toMatchObject({
      created: '2025-06-15T15:06:40.000Z',
      architecture: 'amd64',
      os: 'linux',
      config: {
        User: '107:107',
        Entrypoint: ['/usr/bin/node', '--flag', '/opt/airlift/bin/airlift.js'],
        Labels: { 'org.opencontainers.image.version': '0.1.0', 'org.opencontainers.image.revision': 'c0ffee' },
      },
      rootfs: { type: 'layers', diff_ids: image.layers.map(({ diffId }) => diffId) },
      history: [{ comment: 'layer 0' }, { comment: 'layer 1' }],
    });
  });

  test('each blob has the digest and size by which it is referred to', async () => {
    using folder = scratchFolder();
    const image = await buildSmall(folder.path);
    const manifest = readJson(image.manifest.path);
    for (const each of [manifest.config, ...manifest.layers]) {
      const bytes = readFileSync(join(folder.path, each.digest.slice(7)));
      expect({ digest: sha256(bytes), size: bytes.length }).toEqual({ digest: each.digest, size: each.size });
    }
    expect(manifest.layers.map(({ mediaType }: { mediaType: string }) => mediaType)).toEqual(
      image.layers.map(() => 'application/vnd.oci.image.layer.v1.tar+gzip'),
    );
  });

  test('of several platforms has one name, behind which each node finds its own', async () => {
    using folder = scratchFolder();
    const images = await Promise.all(PLATFORMS.map(({ architecture }) => buildSmall(folder.path, architecture)));
    const index = await writeImageIndex(FACTS, images, folder.path);
    expect(readJson(index.path).manifests).toMatchObject([
      { digest: images[0]?.manifest.digest, platform: { architecture: 'amd64', os: 'linux' } },
      { digest: images[1]?.manifest.digest, platform: { architecture: 'arm64', os: 'linux' } },
    ]);
    expect(JSON.parse(indexOfAll(index, NAME)).manifests).toEqual([
      {
        mediaType: 'application/vnd.oci.image.index.v1+json',
        digest: index.digest,
        size: index.sizeBytes,
        annotations: { 'io.containerd.image.name': NAME, 'org.opencontainers.image.ref.name': '0.1.0' },
      },
    ]);
  });
});

describe('its archives', () => {
  test('the OCI archive is a layout with this platform alone, under the whole name', async () => {
    using folder = scratchFolder();
    const image = await buildSmall(folder.path, 'arm64');
    const path = join(folder.path, 'image.oci.tar');
    await writeOciArchive(path, image, NAME);
    const members = await readTar(readFileSync(path));
    expect([...members.keys()]).toEqual([
      'oci-layout',
      'index.json',
      ...[image.manifest, image.config, ...image.layers].map(ociPath),
    ]);
    const { manifests } = JSON.parse(members.get('index.json')?.content.toString() ?? '');
    expect(manifests).toMatchObject([
      {
        digest: image.manifest.digest,
        platform: { architecture: 'arm64' },
        annotations: { 'io.containerd.image.name': NAME },
      },
    ]);
    for (const [name, { content, header }] of members) {
      expect(header.mtime).toEqual(new Date(0));
      if (name.startsWith('blobs/')) expect(`sha256:${basename(name)}`).toBe(sha256(content));
    }
  });

  test('the docker archive names configuration, layers and tag', async () => {
    using folder = scratchFolder();
    const image = await buildSmall(folder.path);
    const path = join(folder.path, 'image.docker.tar');
    await writeDockerArchive(path, image, NAME);
    const members = await readTar(readFileSync(path));
    const [entry] = JSON.parse(members.get('manifest.json')?.content.toString() ?? '');
    expect(entry.RepoTags).toEqual([NAME]);
    expect(members.get(entry.Config)?.content.equals(readFileSync(image.config.path))).toBe(true);
    expect(entry.Layers).toHaveLength(2);
    for (const [index, name] of entry.Layers.entries()) {
      expect(sha256(members.get(name)?.content ?? Buffer.alloc(0))).toBe(image.layers[index]?.digest);
    }
    expect(members.has('oci-layout')).toBe(false);
  });
});

describe('its bill of materials', () => {
  test('names each part with version, digest and licences, and what a part is built from', async () => {
    using folder = scratchFolder();
    const image = await buildSmall(folder.path);
    const bill = billOfMaterials(FACTS, NAME, image, COMPONENTS);
    expect(bill).toMatchObject({
      bomFormat: 'CycloneDX',
      specVersion: '1.6',
      serialNumber: expect.stringMatching(
        /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      ),
      metadata: {
        timestamp: '2025-06-15T15:06:40.000Z',
        component: { type: 'container', name: 'registry.local/tools/airlift' },
      },
      components: [
        { name: 'zod', hashes: [{ alg: 'SHA-512', content: 'ab' }], licenses: [{ license: { id: 'MIT' } }] },
        { name: 'libc6', licenses: [{ license: { name: 'GPL-2+' } }, { license: { name: 'LGPL-2.1' } }] },
        { name: 'node', cpe: 'cpe:node', components: [{ name: 'openssl', version: '3.5.4' }] },
      ],
    });
    expect(JSON.stringify(bill)).toContain(encodeURIComponent(image.manifest.digest));
  });

  test('is the same for the same image, and another for another platform', async () => {
    using folder = scratchFolder();
    const [image, other] = [await buildSmall(folder.path), await buildSmall(folder.path, 'arm64')];
    const bill = (of: PlatformImage) => JSON.stringify(billOfMaterials(FACTS, NAME, of, COMPONENTS));
    expect(bill(image)).toBe(bill(await buildSmall(folder.path)));
    expect(bill(image)).not.toBe(bill(other));
  });
});

test('the summary tells names, digests and sizes, for people and for programs', async () => {
  using folder = scratchFolder();
  const image = await buildSmall(folder.path);
  const index = await writeImageIndex(FACTS, [image], folder.path);
  const summary = summarize(NAME, FACTS, index, [{ image, base: 'airlift-0.1.0-linux-amd64' }]);
  expect(summary).toMatchObject({
    name: NAME,
    digest: index.digest,
    platforms: [
      {
        platform: 'linux/amd64',
        digest: image.manifest.digest,
        compressedBytes: image.layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
        ociArchive: 'airlift-0.1.0-linux-amd64.oci.tar',
        dockerArchive: 'airlift-0.1.0-linux-amd64.docker.tar',
        billOfMaterials: 'airlift-0.1.0-linux-amd64.cdx.json',
      },
    ],
  });
  const text = renderSummary(summary);
  expect(text).toContain(`${NAME}  ${index.digest}`);
  expect(text).toContain('from c0ffee');
  expect(text).toMatch(/^ +0\.0 MB {2}layer 1$/m);
});
