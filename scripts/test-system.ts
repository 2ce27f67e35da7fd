// Runs the tests that need real tools: `npm run test:system [-- part-of-a-path ...]`. Prepares the machine first, so nothing is skipped for lack of a tool.
import { spawnSync } from 'node:child_process';
import { prepareSystem } from './prepare-system.ts';

prepareSystem();
const started = performance.now();
const { status } = spawnSync(
  process.execPath,
  [
    '--disable-warning=ExperimentalWarning',
    'node_modules/vitest/vitest.mjs',
    'run',
    '--project',
    'system',
    ...process.argv.slice(2),
  ],
  { stdio: 'inherit', env: { ...process.env, AIRLIFT_REQUIRE_TOOLS: '1' } },
);
console.log(`system tests took ${Math.round((performance.now() - started) / 1000)} s; the budget is 2400 s`);
process.exitCode = status ?? 1;
