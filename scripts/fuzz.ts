// Fuzzes every parser at full size: `npm run fuzz [-- part-of-a-path ...]`, 60 seconds or a million cases each unless AIRLIFT_FUZZ_SECONDS says otherwise.
import { spawnSync } from 'node:child_process';

const seconds = process.env.AIRLIFT_FUZZ_SECONDS ?? '60';
const filters = process.argv.slice(2);
const { status } = spawnSync(
  process.execPath,
  [
    '--disable-warning=ExperimentalWarning',
    'node_modules/vitest/vitest.mjs',
    'run',
    '--project',
    'unit',
    `--testTimeout=${(Number(seconds) + 60) * 1000}`,
    ...(filters.length > 0 ? filters : ['.fuzz.test.ts']),
  ],
  { stdio: 'inherit', env: { ...process.env, AIRLIFT_FUZZ_SECONDS: seconds } },
);
process.exitCode = status ?? 1;
