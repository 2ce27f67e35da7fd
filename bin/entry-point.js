import { existsSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What this package can be started as besides the command line, each a file in main/: `airlift controller`. They are no commands of the command line, which would then
 * have to be loaded whole into a worker that may use little memory.
 */
export const ENTRY_POINTS = ['controller', 'transfer-worker', 'file-relay'];

/**
 * The file to start for these arguments, and what is left of them for it.
 * @param {string} root the package's own folder
 * @param {readonly string[]} args
 * @returns {{ script: string, args: readonly string[] }}
 */
export function chooseEntryPoint(root, args) {
  const [first = '', ...rest] = args;
  const isNamed = ENTRY_POINTS.includes(first);
  const name = isNamed ? first : 'cli';
  const built = join(root, 'dist', 'main', `${name}.js`);
  return {
    script: existsSync(built) ? built : join(root, 'src', 'main', `${name}.ts`),
    args: isNamed ? rest : args,
  };
}
