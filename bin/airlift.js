#!/usr/bin/env node
// Entry point of the installed package and of the container image: starts the command line, the controller or a worker with the pinned Node.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { chooseEntryPoint } from './entry-point.js';
import { findNode, NODE_FLAGS, nodeEnvironment } from './node-binary.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { script, args } = chooseEntryPoint(root, process.argv.slice(2));

if (NODE_FLAGS.every((flag) => process.execArgv.includes(flag))) {
  // Started as we would start it, which the image does: going on in this process saves a second start of Node.
  process.argv.splice(1, process.argv.length, script, ...args);
  await import(pathToFileURL(script).href);
} else {
  startNode();
}

function startNode() {
  const node = findNode(root);
  const nodeArgs = [...NODE_FLAGS, script, ...args];
  const env = nodeEnvironment(root);
  if (typeof process.execve === 'function') {
    // In place of this process: one process less to hold memory and hand signals on.
    process.removeAllListeners('warning');
    process.on('warning', () => {});
    process.execve(node, [node, ...nodeArgs], env);
  }
  const child = spawn(node, nodeArgs, { stdio: 'inherit', env });
  // Ctrl-C reaches the whole process group by itself; a signal sent to this process alone is handed on.
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  process.on('SIGINT', () => {});
  child.on('exit', (code, signal) => process.exit(signal ? 128 + (constants.signals[signal] ?? 0) : (code ?? 1)));
}
