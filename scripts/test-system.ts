// Runs the tests that need real tools: `npm run test:system [-- part-of-a-path ...]`. Prepares the machine first, so nothing is skipped for lack of a tool.
import { globSync, readFileSync } from 'node:fs';
import { prepareCluster } from '../src/testing/cluster/prepare-cluster.ts';
import { prepareSystem } from './prepare-system.ts';
import { runVitest } from './run-vitest.ts';

/** Of the whole suite, on two cores. */
const BUDGET_SECONDS = 2400;

const args = process.argv.slice(2);
await prepareSystem();
if (needCluster(args.filter((arg) => !arg.startsWith('-')))) await prepareCluster();
const started = performance.now();
process.exitCode = runVitest(['--project', 'system', ...args], { AIRLIFT_REQUIRE_TOOLS: '1' });
const seconds = Math.round((performance.now() - started) / 1000);
console.log(`system tests took ${seconds} s of a budget of ${BUDGET_SECONDS} s`);

/** True when a test that was asked for, by part of its path or by none, mentions the test cluster: what that takes is built once and takes minutes then. */
function needCluster(parts: readonly string[]): boolean {
  return globSync(['src/**/*.integration.test.ts', 'e2e/**/*.test.ts']).some((path) => {
    const isAsked = parts.length === 0 || parts.some((part) => path.includes(part));
    return isAsked && readFileSync(path, 'utf8').includes('testing/cluster/');
  });
}
