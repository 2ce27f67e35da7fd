import { homedir } from 'node:os';
import { join } from 'node:path';
import { allEnded } from './all-ended.ts';
import { readAptSources } from './apt-sources.ts';
import type { Component } from './component.ts';
import { buildDependenciesLayer } from './dependencies-layer.ts';
import { buildDistributionLayer, type FetchedPackage } from './distribution-layer.ts';
import type { DistributionLock } from './distribution-lock.ts';
import { fetchPackage } from './fetch-package.ts';
import { ImageError } from './image-error.ts';
import type { ImageTree } from './image-tree.ts';
import { installPackages } from './install-packages.ts';
import { buildNodeLayer } from './node-layer.ts';
import type { Platform } from './platforms.ts';
import type { RunProgram } from './run-program.ts';

export interface BuildContext {
  /** The checkout. */
  readonly root: string;
  readonly lock: DistributionLock;
  readonly run: RunProgram;
  readonly say: (line: string) => void;
}

export interface UnwrittenLayer {
  readonly tree: ImageTree;
  readonly description: string;
}

/**
 * What lies below Airlift itself, from what changes least to what changes most, so that an update brings little. The trees refer to files in `work`, which therefore must stay until
 * they are written.
 */
export async function buildLayers(
  platform: Platform,
  work: string,
  { root, lock, run }: BuildContext,
): Promise<{ readonly layers: readonly UnwrittenLayer[]; readonly components: readonly Component[] }> {
  const [fetched, installed] = await allEnded([
    fetchAll(lock, platform, run),
    installPackages(root, work, platform, run),
  ]);
  const distribution = await buildDistributionLayer(fetched, { release: lock.release, platform, run });
  const node = await buildNodeLayer(installed, process.versions);
  const dependencies = await buildDependenciesLayer(installed);
  return {
    layers: [
      { tree: distribution.tree, description: `Libraries of Debian ${lock.release}` },
      { tree: node.tree, description: `Node ${process.versions.node}` },
      { tree: dependencies.tree, description: 'npm packages' },
    ],
    components: [...distribution.components, ...node.components, ...dependencies.components],
  };
}

async function fetchAll(
  lock: DistributionLock,
  { architecture }: Platform,
  run: RunProgram,
): Promise<readonly FetchedPackage[]> {
  const { repositories } = await readAptSources(run);
  // Outside the checkout: files are named by their digest, and serve every clone of it.
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'airlift', 'debian');
  const fetched: FetchedPackage[] = [];
  for (const [name, { [architecture]: file }] of Object.entries(lock.packages)) {
    if (file === undefined) {
      throw new ImageError(`the lock has no ${name} for ${architecture}; run npm run image -- --update-lock`);
    }
    fetched.push({ name, file, path: await fetchPackage(name, file, { repositories, cache, run }) });
  }
  return fetched;
}
