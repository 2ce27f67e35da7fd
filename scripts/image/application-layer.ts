import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildProduct } from '../build.ts';
import { filesBelow } from './files-below.ts';
import { ImageError } from './image-error.ts';
import { APPLICATION_FOLDER, LAUNCHER_PATH } from './image-paths.ts';
import { ImageTree } from './image-tree.ts';

/** The command for people: `kubectl exec <pod> -- airlift version`. There is no shell that could start it with options, and env is not there either. */
const COMMAND = `#!/usr/bin/node\nimport('/${LAUNCHER_PATH}');\n`;

/** What package.json must tell in the image; scripts and development dependencies would only mislead whoever scans it. */
const TOLD = ['name', 'version', 'description', 'license', 'type', 'dependencies'];

/** Airlift itself, compiled into `work` from the checkout. */
export async function buildApplicationLayer(root: string, work: string): Promise<ImageTree> {
  const compiled = join(work, 'dist');
  if (!buildProduct(compiled)) throw new ImageError('the sources do not compile; see the lines above');
  const tree = new ImageTree();
  for (const path of await filesBelow(work, 'dist')) {
    tree.addFile(`${APPLICATION_FOLDER}/${path}`, await readFile(join(work, path)));
  }
  for (const path of [...(await filesBelow(root, 'bin')).filter((each) => !each.endsWith('launch.js')), 'LICENSE']) {
    tree.addFile(`${APPLICATION_FOLDER}/${path}`, await readFile(join(root, path)));
  }
  const manifest: Record<string, unknown> = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  const told = Object.fromEntries(TOLD.map((name) => [name, manifest[name]]));
  tree.addFile(`${APPLICATION_FOLDER}/package.json`, `${JSON.stringify(told, undefined, 2)}\n`);
  tree.addFile('usr/bin/airlift', COMMAND, { mode: 0o755 });
  return tree;
}
