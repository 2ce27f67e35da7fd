import { comparePrediction } from '../../app/compare-prediction.ts';
import type { ImportOutcome } from '../../app/import-parts.ts';
import type { DiskReport } from '../../app/import-report.ts';
import { formatBytes, formatDuration } from '../../lib/format-units.ts';
import type { Io } from '../io.ts';
import { printable } from '../printable.ts';
import { renderTable } from './table.ts';

/** Below this a time says nothing and a speed lies. */
const SHORTEST_MS = 100;

/** What an import did and what comes next, for people. */
export function renderOutcomes(outcomes: readonly ImportOutcome[], io: Pick<Io, 'paint' | 'columns'>): string {
  const [only, ...others] = outcomes;
  if (only === undefined) return '';
  const folder = others.length === 0 ? printable(only.location) : '<folder>';
  const next = [
    ['machine.yaml', 'the machine for KubeVirt or Harvester; its first lines say how to bring it into a cluster'],
    ['report.md', 'what was kept, changed and dropped, and the proof of the copy'],
  ];
  return [
    ...outcomes.map((outcome) => renderOutcome(outcome, io)),
    renderTable(next, { columns: io.columns, indent: 2 }),
    // Not wrapped: it is there to be copied.
    `  compare again at any time: airlift verify ${folder}/report.json`,
  ].join('\n');
}

function renderOutcome({ location, report }: ImportOutcome, { paint, columns }: Pick<Io, 'paint' | 'columns'>): string {
  const verdict =
    report.verify === 'none' ? paint.yellow('imported, not verified') : paint.green('imported and verified');
  const prediction = comparePrediction(report);
  return [
    `${paint.bold(printable(report.machine.name))}: ${verdict}`,
    `  in ${printable(location)}`,
    renderTable(
      report.disks.map((disk) => [disk.file, describeDisk(disk)]),
      { columns, indent: 2 },
    ),
    ...(prediction === undefined ? [] : [`  ${prediction}`]),
  ].join('\n');
}

function describeDisk(disk: DiskReport): string {
  const facts = [`${formatBytes(disk.dataBytes)} of data in ${formatBytes(disk.virtualSizeBytes)}`];
  const speed = formatBytes((disk.dataBytes / disk.copyMs) * 1000);
  facts.push(disk.copyMs < SHORTEST_MS ? 'copied at once' : `copied in ${formatDuration(disk.copyMs)} (${speed}/s)`);
  if (disk.digest === undefined) facts.push('not verified');
  else facts.push(disk.verifyMs < SHORTEST_MS ? 'read back' : `read back in ${formatDuration(disk.verifyMs)}`);
  if (disk.storedDigests.some(({ expected }) => expected !== undefined)) facts.push('as its manifest says');
  if (disk.resumes > 0) facts.push(`continued ${disk.resumes === 1 ? 'once' : `${disk.resumes} times`}`);
  return facts.join(', ');
}
