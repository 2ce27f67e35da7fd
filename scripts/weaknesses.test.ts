import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const page = readFileSync(join(ROOT, 'docs/decisions/0018-weaknesses.md'), 'utf8');
const rows = [...page.matchAll(/^\| (W\d+) \| [^|]+ \| ([^|]+) \|$/gm)].map(([, id = '', where = '']) => ({
  id,
  where,
}));

test('the page has a row for each of the 34', () => {
  expect(rows.map(({ id }) => id)).toEqual(Array.from({ length: 34 }, (_, index) => `W${index + 1}`));
});

test.each(rows)('$id has its test where the page says, or a reason', ({ id, where }) => {
  const files = [...where.matchAll(/`([^`]+\.test\.ts)`/g)].map(([, file = '']) => file);
  if (files.length === 0) expect(where.length).toBeGreaterThan(10);
  for (const file of files) {
    expect(existsSync(join(ROOT, file)), file).toBe(true);
    expect(readFileSync(join(ROOT, file), 'utf8')).toMatch(
      new RegExp(`(test|it|describe|each)\\b[^]*'[^']*\\b${id}\\b`),
    );
  }
});
