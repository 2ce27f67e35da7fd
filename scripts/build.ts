// Compiles src/ into dist/, which `npm pack` ships; the checkout itself runs unbuilt.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

/** Compiles the product into a folder, which it replaces. False when it does not compile; the compiler has said why. */
export function buildProduct(folder: string): boolean {
  rmSync(folder, { recursive: true, force: true });
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const project = join(root, 'tsconfig.build.json');
  const { status } = spawnSync(process.execPath, [compiler, '-p', project, '--outDir', folder], { stdio: 'inherit' });
  return status === 0;
}

if (import.meta.main) process.exitCode = buildProduct(join(root, 'dist')) ? 0 : 1;
