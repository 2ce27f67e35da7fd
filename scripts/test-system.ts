// Runs the tests that need real tools: `npm run test:system [-- part-of-a-path ...]`. Prepares the machine first, so nothing is skipped for lack of a tool.
import { prepareSystem } from './prepare-system.ts';
import { runVitest } from './run-vitest.ts';

/** Of the whole suite, on two cores. */
const BUDGET_SECONDS = 2400;

await prepareSystem();
const started = performance.now();
process.exitCode = runVitest(['--project', 'system', ...process.argv.slice(2)], { AIRLIFT_REQUIRE_TOOLS: '1' });
const seconds = Math.round((performance.now() - started) / 1000);
console.log(`system tests took ${seconds} s of a budget of ${BUDGET_SECONDS} s`);
