import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Component } from './component.ts';
import { ImageError } from './image-error.ts';
import { NODE_PATH } from './image-paths.ts';
import { ImageTree } from './image-tree.ts';
import type { InstalledPackages } from './install-packages.ts';
import { npmComponent } from './npm-component.ts';

/** Of what Node is built from, the parts that have security advisories of their own; the names are those of `process.versions`. */
const PARTS: Readonly<Record<string, string>> = {
  openssl: 'cpe:2.3:a:openssl:openssl:VERSION:*:*:*:*:*:*:*',
  zlib: 'cpe:2.3:a:zlib:zlib:VERSION:*:*:*:*:*:*:*',
  zstd: 'cpe:2.3:a:facebook:zstandard:VERSION:*:*:*:*:*:*:*',
  uv: 'cpe:2.3:a:libuv:libuv:VERSION:*:*:*:*:*:*:*',
  v8: 'cpe:2.3:a:google:v8:VERSION:*:*:*:*:*:*:*',
  nghttp2: 'cpe:2.3:a:nghttp2:nghttp2:VERSION:*:*:*:*:*:*:*',
  ares: 'cpe:2.3:a:c-ares:c-ares:VERSION:*:*:*:*:*:*:*',
  sqlite: 'cpe:2.3:a:sqlite:sqlite:VERSION:*:*:*:*:*:*:*',
};

/** The pinned Node as it was published, and its licences; nothing of the package else. */
export async function buildNodeLayer(
  { folder, packages, nodePath }: InstalledPackages,
  running: NodeJS.ProcessVersions,
): Promise<{ readonly tree: ImageTree; readonly components: readonly Component[] }> {
  const installed = packages.get(nodePath);
  if (installed === undefined) throw new Error(`${nodePath} is not installed`);
  // Only a running Node tells what it is made of, and the other platform's cannot run here.
  if (running.node !== installed.version) {
    throw new ImageError(
      `the image gets Node ${installed.version} and this is ${running.node}; build it with npm run image`,
    );
  }
  const tree = new ImageTree();
  const executable = join(folder, nodePath, 'bin', 'node');
  const { size: sizeBytes } = await stat(executable);
  tree.addFile(NODE_PATH, { path: executable, sizeBytes }, { mode: 0o755 });
  tree.addFile('usr/share/doc/node/copyright', await readFile(join(folder, nodePath, 'LICENSE')));
  const parts = Object.entries(PARTS).flatMap(([name, cpe]): Component[] => {
    const version = running[name];
    if (version === undefined) return [];
    const upstream = version.replace(/-.*$/, '');
    return [
      {
        kind: 'library',
        name,
        version,
        purl: `pkg:generic/${name}@${encodeURIComponent(version)}`,
        licenses: [],
        cpe: cpe.replace('VERSION', upstream),
      },
    ];
  });
  return {
    tree,
    components: [
      {
        ...npmComponent(nodePath, installed),
        kind: 'platform',
        cpe: `cpe:2.3:a:nodejs:node.js:${installed.version}:*:*:*:*:*:*:*`,
        parts,
      },
    ],
  };
}
