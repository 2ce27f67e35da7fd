import { printable } from '../printable.ts';

/** Columns separated by two spaces, as wide as their widest cell; the last one is wrapped to `columns`. Cells may come from outside. */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[], columns: number): string {
  const cells = [head, ...rows].map((row) => row.map(printable));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)));
  const before = widths.slice(0, -1).reduce((sum, width) => sum + width + 2, 0);
  const lastWidth = Math.max(24, columns - before);
  return cells
    .flatMap((row) => {
      const left = row.slice(0, -1).map((cell, column) => cell.padEnd((widths[column] ?? 0) + 2));
      const [first = '', ...more] = wrapText(row.at(-1) ?? '', lastWidth);
      return [(left.join('') + first).trimEnd(), ...more.map((line) => ' '.repeat(before) + line)];
    })
    .join('\n');
}

/** Breaks at spaces; a longer word is cut. */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ').flatMap((each) => cut(each, width))) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines;
}

function cut(word: string, width: number): string[] {
  const parts: string[] = [];
  for (let at = 0; at < word.length; at += width) parts.push(word.slice(at, at + width));
  return parts.length === 0 ? [''] : parts;
}
