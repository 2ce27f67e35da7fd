import { spawnSync } from 'node:child_process';

/** Runs vitest with this Node and returns its exit code. */
export function runVitest(args: readonly string[], env: Readonly<Record<string, string>>): number {
  const vitest = ['--disable-warning=ExperimentalWarning', 'node_modules/vitest/vitest.mjs', 'run'];
  const { status } = spawnSync(process.execPath, [...vitest, ...args], {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  return status ?? 1;
}
