#!/usr/bin/env node
// Runs the project's own commands with the pinned Node, after installing what is missing.
// Plain JavaScript for any Node since 20: it must start where nothing is installed yet.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findNode, NODE_FLAGS, nodeEnvironment } from './node-binary.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [task = 'start', ...args] = process.argv.slice(2);

installWhenMissing();
const node = findNode(root);
process.env.PATH = `${dirname(node)}${process.platform === 'win32' ? ';' : ':'}${process.env.PATH ?? ''}`;

const module = (path) => join(root, 'node_modules', path);
const vitest = [module('vitest/vitest.mjs'), 'run'];
const staticChecks = [
  [module('@biomejs/biome/bin/biome'), 'check', '--error-on-warnings', '.'],
  [module('dependency-cruiser/bin/dependency-cruise.mjs'), 'src', '--config', '.dependency-cruiser.cjs'],
  [module('typescript/bin/tsc'), '--noEmit'],
  ['scripts/generate.ts', '--check'],
];
const steps = {
  start: () => [['src/main/start.ts', ...args]],
  test: () => [[...vitest, '--project', 'unit', ...args]],
  'test:system': () => [['scripts/test-system.ts', ...args]],
  'prepare:system': () => [['scripts/prepare-system.ts']],
  bench: () => [['bench/run.ts', ...args]],
  fuzz: () => [['scripts/fuzz.ts', ...args]],
  generate: () => [['scripts/generate.ts', ...args]],
  build: () => [['scripts/build.ts', ...args]],
  image: () => [['scripts/image.ts', ...args]],
  cluster: () => [['scripts/cluster.ts', ...args]],
  'check:static': () => staticChecks,
  check: () => [...staticChecks, [...vitest, '--project', 'unit']],
};
if (!Object.hasOwn(steps, task)) fail(`unknown task ${task}; there are ${Object.keys(steps).join(', ')}`);

for (const step of steps[task]()) {
  // `npm start` works where it was called; every other task works on the checkout.
  const cwd = task === 'start' ? (process.env.INIT_CWD ?? process.cwd()) : root;
  const [script, ...rest] = step;
  const path = isAbsolute(script) ? script : join(root, script);
  const { status, signal } = spawnSync(
    node,
    [...(task === 'start' ? NODE_FLAGS : NODE_FLAGS.slice(0, 1)), path, ...rest],
    {
      cwd,
      stdio: 'inherit',
      ...(task === 'start' ? { env: nodeEnvironment(root) } : {}),
    },
  );
  if (signal) process.kill(process.pid, signal);
  if (status !== 0) process.exit(status ?? 1);
}

/** Compares the lock file that npm left in node_modules with ours, so that a pull with new dependencies installs them. */
function installWhenMissing() {
  const installed = join(root, 'node_modules', '.package-lock.json');
  const missing = existsSync(installed)
    ? packagesMissing(JSON.parse(readFileSync(installed, 'utf8')).packages)
    : ['everything'];
  if (missing.length === 0) return;
  console.error(`airlift: installing dependencies with npm ci (missing: ${missing.slice(0, 3).join(', ')})`);
  const npm = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ['npm'];
  const [command, ...first] = npm;
  // No dependency needs an install script; all native parts come ready inside packages.
  const { status } = spawnSync(
    command,
    [...first, 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  if (status !== 0) fail('npm ci failed; see the lines above');
}

function packagesMissing(installed) {
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(wanted)
    .filter(([path, each]) => path !== '' && !each.optional && installed[path]?.version !== each.version)
    .map(([path]) => path.replace(/^.*node_modules\//, ''));
}

function fail(message) {
  console.error(`airlift: ${message}`);
  process.exit(1);
}
