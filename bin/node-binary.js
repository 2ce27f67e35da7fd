import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The oldest Node that runs our TypeScript unbuilt and has `await using`. */
const OLDEST_MAJOR = 24;

/**
 * How Node is started. A small young generation is collected often, and with it the buffers that dead objects hold: measured, it takes some 15 MiB off an import's peak and
 * costs no time. Type stripping is stable in the Node we pin but still warns.
 */
export const NODE_FLAGS = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=2'];

/**
 * Finds the Node that npm installed for this platform, else accepts the running one when it is new enough.
 * @param {string} root the package's own folder
 * @returns {string} path of an executable
 */
export function findNode(root) {
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  // Beside us in node_modules when Airlift is itself a dependency, below us in a checkout.
  const folders = [join(root, 'node_modules'), join(root, '..'), join(root, '..', '..')];
  const pinned = folders
    .map((folder) => join(folder, `node-${platform}-${process.arch}`, 'bin', name))
    .find(existsSync);
  if (pinned !== undefined) return pinned;
  if (Number(process.versions.node.split('.')[0]) >= OLDEST_MAJOR) return process.execPath;
  console.error(
    `airlift: needs Node ${OLDEST_MAJOR} or newer and npm has none for ${process.platform} ${process.arch}; install Node ${OLDEST_MAJOR} and run the command again`,
  );
  process.exit(1);
}

/**
 * The environment that Node is started in: compiled code (and TypeScript with its types taken off) is kept between starts, which halves the time and takes 25 MiB off the memory of
 * each. Where the folder cannot be written Node does without, silently.
 * @param {string} root the package's own folder
 */
export function nodeEnvironment(root) {
  return { NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'compiled'), ...process.env };
}
