import type { BenchResult } from '../../app/bench-transfer.ts';
import { SIDE_NAMES } from '../../app/compare-prediction.ts';
import { formatBytes, formatDuration } from '../../lib/format-units.ts';
import type { Io } from '../io.ts';
import { printable } from '../printable.ts';
import { renderTable } from './table.ts';

type Measurement = BenchResult['rates']['read'];

/** What each side can do, for people. */
export function renderBench(result: BenchResult, { paint, columns }: Pick<Io, 'paint' | 'columns'>): string {
  const { rates, targetRates, machine, disk, limitedBy, copyBytesPerSecond } = result;
  const { lanes } = rates;
  const threads = lanes === 1 ? 'by one thread' : `by one thread; ${lanes} work at once`;
  const target =
    targetRates === undefined
      ? [['write', '?', 'the target cannot be measured, or has too little free space']]
      : [
          ['write', rate(targetRates.write), `flushed: ${amount(targetRates.write)}`],
          ['read back', rate(targetRates.readBack), `from the target: ${amount(targetRates.readBack)}`],
        ];
  const rows = [
    ['read', rate(rates.read), `as the source stores it: ${amount(rates.read)}`],
    ['decode', rate(rates.decode), `unpacked ${threads}: ${amount(rates.decode)}`],
    ['hash', rate(rates.hash), `for verification, ${threads}: ${amount(rates.hash)}`],
    ...target,
  ];
  return [
    `${paint.bold(printable(machine.name))}, ${printable(disk.name)}, from ${printable(result.source)}`,
    `to ${printable(result.target)}`,
    '',
    renderTable(rows, { head: ['', 'RATE', 'MEASURED'], columns, indent: 2 }),
    '',
    `  Each stored byte unpacks to ${rates.expansion.toFixed(2)} bytes of the disk.`,
    `  ${paint.bold(`A copy is limited by ${SIDE_NAMES[limitedBy]}`)}, to about ${formatBytes(copyBytesPerSecond)}/s of the disk.`,
  ].join('\n');
}

function rate({ bytes, ms }: Measurement): string {
  return `${formatBytes((bytes / ms) * 1000)}/s`;
}

function amount({ bytes, ms }: Measurement): string {
  return `${formatBytes(bytes)} in ${formatDuration(ms)}`;
}
