// Fuzzes every parser at full size: `npm run fuzz [-- part-of-a-path ...]`, 60 seconds or a million cases each unless AIRLIFT_FUZZ_SECONDS says otherwise.
import { runVitest } from './run-vitest.ts';

const seconds = process.env.AIRLIFT_FUZZ_SECONDS ?? '60';
const filters = process.argv.slice(2);
const timeout = `--testTimeout=${(Number(seconds) + 60) * 1000}`;
process.exitCode = runVitest(['--project', 'unit', timeout, ...(filters.length > 0 ? filters : ['.fuzz.test.ts'])], {
  AIRLIFT_FUZZ_SECONDS: seconds,
});
