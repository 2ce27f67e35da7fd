#!/usr/bin/env node
// Entry point of the installed package: starts the command line with the pinned Node.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findNode, NODE_FLAGS, nodeEnvironment } from './node-binary.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const built = join(root, 'dist', 'main', 'cli.js');
const entry = existsSync(built) ? built : join(root, 'src', 'main', 'cli.ts');
const node = findNode(root);
const args = [...NODE_FLAGS, entry, ...process.argv.slice(2)];
const env = nodeEnvironment(root);

if (typeof process.execve === 'function') {
  // In place of this process: one process less to hold memory and hand signals on.
  process.removeAllListeners('warning');
  process.on('warning', () => {});
  process.execve(node, [node, ...args], env);
}
const child = spawn(node, args, { stdio: 'inherit', env });
// Ctrl-C reaches the whole process group by itself; a signal sent to this process alone is handed on.
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
process.on('SIGINT', () => {});
child.on('exit', (code, signal) => process.exit(signal ? 128 + (constants.signals[signal] ?? 0) : (code ?? 1)));
