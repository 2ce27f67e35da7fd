import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Component } from './component.ts';
import { filesBelow } from './files-below.ts';
import { APPLICATION_FOLDER } from './image-paths.ts';
import { ImageTree } from './image-tree.ts';
import type { InstalledPackages } from './install-packages.ts';
import { npmComponent } from './npm-component.ts';

/** What no program reads: documentation, maps to sources, tests of the packages themselves, and the native part for systems with another C library. */
const LEFT_OUT = [
  // Also sources: Node refuses TypeScript below node_modules.
  /\.[cm]?ts$/,
  /\.map$/,
  /(^|\/)(?!licen[cs]e)[^/]*\.(md|markdown)$/i,
  /node_modules\/(@[^/]+\/)?[^/]+\/(tests?|bench(marks?)?|examples?)\//,
  /\/musl_[^/]+\//,
];

/** The packages of others that the product runs with, each with its licence. */
export async function buildDependenciesLayer(
  installed: InstalledPackages,
): Promise<{ readonly tree: ImageTree; readonly components: readonly Component[] }> {
  const tree = new ImageTree();
  const packages = [...installed.packages].filter(([path]) => path !== installed.nodePath);
  for (const path of await filesBelow(installed.folder, 'node_modules')) {
    if (path.startsWith(`${installed.nodePath}/`) || /(^|\/)node_modules\/\./.test(path)) continue;
    if (LEFT_OUT.some((pattern) => pattern.test(path))) continue;
    const home = join(installed.folder, path);
    const { mode } = await stat(home);
    tree.addFile(`${APPLICATION_FOLDER}/${path}`, await readFile(home), { mode: mode & 0o111 ? 0o755 : 0o644 });
  }
  // npm may put the same version in two places; it is one thing the image is made of.
  const components = new Map(packages.map(([path, each]) => npmComponent(path, each)).map((each) => [each.purl, each]));
  return { tree, components: [...components.values()] };
}
