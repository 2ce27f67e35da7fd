import { describe, expect, test } from 'vitest';
import { renderTable } from './table.ts';
import { textWidth } from './text-width.ts';

const rows = [
  ['disk 1', 'vmdk streamOptimized', 'a-very-long-name-of-a-file-in-an-archive.vmdk'],
  ['日本語', 'raw', 'b.raw'],
];

describe('renderTable', () => {
  test('columns are as wide as their widest cell', () => {
    expect(renderTable(rows, { head: ['DISK', 'FORMAT', 'FILE'], columns: 80 })).toMatchInlineSnapshot(`
      "DISK    FORMAT                FILE
      disk 1  vmdk streamOptimized  a-very-long-name-of-a-file-in-an-archive.vmdk
      日本語  raw                   b.raw"
    `);
  });

  test('where they do not fit the widest gives way', () => {
    expect(renderTable(rows, { columns: 50, indent: 2 })).toMatchInlineSnapshot(`
      "  disk 1  vmdk                 a-very-long-name-of
                streamOptimized      -a-file-in-an-archi
                                     ve.vmdk
        日本語  raw                  b.raw"
    `);
  });

  test.each([60, 80, 120])('no line is wider than %i columns', (columns) => {
    const text = renderTable([['x'.repeat(500), 'y y '.repeat(100), 'z']], { columns });
    expect(Math.max(...text.split('\n').map(textWidth))).toBeLessThanOrEqual(columns);
  });

  test('a cell cannot begin a line of its own or move the cursor', () => {
    expect(renderTable([['a\nb\u001b[2J', 'c']], { columns: 80 })).toBe('a b\\u{1b}[2J  c');
  });
});
