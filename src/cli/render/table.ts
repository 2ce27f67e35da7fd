import { printable } from '../printable.ts';
import { padToWidth, textWidth, wrapText } from './text-width.ts';

const GAP = 2;
/** No column is squeezed below this. */
const NARROWEST = 10;

/** Columns as wide as their widest cell; where they do not all fit, the widest give way and their cells are wrapped. Cells may come from outside. */
export function renderTable(
  rows: readonly (readonly string[])[],
  options: { readonly head?: readonly string[]; readonly columns: number; readonly indent?: number },
): string {
  const { head, columns, indent = 0 } = options;
  const cells = (head === undefined ? rows : [head, ...rows]).map((row) => row.map(printable));
  const count = Math.max(0, ...cells.map((row) => row.length));
  const natural = Array.from({ length: count }, (_, column) =>
    Math.min(columns, Math.max(...cells.map((row) => textWidth(row[column] ?? '')))),
  );
  const widths = squeeze(natural, columns - indent - GAP * (count - 1));
  return cells.flatMap((row) => renderRow(row, widths, indent)).join('\n');
}

function renderRow(row: readonly string[], widths: readonly number[], indent: number): string[] {
  const wrapped = widths.map((width, column) => wrapText(row[column] ?? '', Math.max(1, width)));
  const height = Math.max(...wrapped.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) => {
    const parts = wrapped.map((lines, column) => padToWidth(lines[line] ?? '', widths[column] ?? 0));
    return (' '.repeat(indent) + parts.join(' '.repeat(GAP))).trimEnd();
  });
}

/** Takes from the widest column, cell by cell, until all fit. */
function squeeze(natural: readonly number[], available: number): number[] {
  const widths = [...natural];
  let excess = widths.reduce((sum, width) => sum + width, 0) - available;
  for (; excess > 0; excess -= 1) {
    const widest = Math.max(...widths);
    if (widest <= NARROWEST) break;
    widths[widths.indexOf(widest)] = widest - 1;
  }
  return widths;
}
