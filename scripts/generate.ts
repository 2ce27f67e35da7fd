// Writes the files that are derived from code: docs/problems.md from the problem catalogue. With --check it only compares and fails when one is stale.
import { readFileSync, writeFileSync } from 'node:fs';
import { problems } from '../src/domain/problems.ts';
import { renderProblemsPage } from './problems-page.ts';

const files = { 'docs/problems.md': renderProblemsPage(problems) };
const isCheck = process.argv.includes('--check');
let stale = 0;
for (const [path, text] of Object.entries(files)) {
  if (!isCheck) writeFileSync(path, text);
  else if (readOrEmpty(path) !== text) {
    console.error(`${path} is stale; run npm run generate`);
    stale += 1;
  }
}
process.exitCode = stale === 0 ? 0 : 1;

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // A missing file is as stale as a wrong one.
    return '';
  }
}
