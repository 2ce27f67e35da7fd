// Adds up vitest's JSON results; the static checks count as one test. A suite without a result, or a skipped test, is a failure.
import { existsSync, readFileSync } from 'node:fs';

const [checks, ...files] = process.argv.slice(2);
let passed = checks === 'passed' ? 1 : 0;
let failed = checks === 'passed' ? 0 : 1;
for (const file of files) {
  if (!existsSync(file)) {
    console.log(`no result in ${file}`);
    failed += 1;
    continue;
  }
  const result = JSON.parse(readFileSync(file, 'utf8'));
  const skipped = result.numPendingTests + result.numTodoTests;
  if (skipped > 0) console.log(`${skipped} skipped tests count as failed: in CI nothing is skipped for lack of a tool`);
  passed += result.numPassedTests;
  // A file that cannot even be loaded has no tests to fail, yet fails the run.
  failed += result.numFailedTests + skipped + (result.success || result.numFailedTests + skipped > 0 ? 0 : 1);
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
