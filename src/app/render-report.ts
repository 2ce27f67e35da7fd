import { formatBytes, formatDuration } from '../lib/format-units.ts';
import { comparePrediction } from './compare-prediction.ts';
import type { DiskReport, ImportReport } from './import-report.ts';

/** The report for people, as Markdown. */
export function renderReport(report: ImportReport): string {
  const verdict =
    report.verify === 'readback'
      ? 'Every byte was read back from the target and is what was read from the source.'
      : 'The written disks were **not** read back (`--verify none`).';
  return `${[
    `# Import of ${code(report.machine.name)}`,
    '',
    `${verdict} Check again at any time with \`airlift verify report.json\`.`,
    '',
    table(
      ['', ''],
      [
        ['Source', report.source],
        ['Target', `${report.target}, as ${report.targetName}`],
        ['Started', report.startedAt],
        ['Finished', report.finishedAt],
        ['Airlift', report.airliftVersion],
        ...predictionRows(report),
      ],
    ),
    '## Disks',
    '',
    ...report.disks.flatMap(renderDisk),
    '## What the machine keeps',
    '',
    table(
      ['Property', 'Source', 'Target', 'Outcome', 'Reason'],
      report.fidelity.map((row) => [row.property, row.source, row.target, row.outcome, row.reason ?? '']),
    ),
    ...(report.findings.length === 0
      ? []
      : [
          '## Findings',
          '',
          ...report.findings.map((each) => `- **${each.severity}** ${each.code}: ${escapeCell(each.message)}`),
          '',
        ]),
  ].join('\n')}\n`;
}

function predictionRows(report: ImportReport): string[][] {
  const told = comparePrediction(report);
  return told === undefined ? [] : [['Time', told]];
}

function renderDisk(disk: DiskReport): string[] {
  const seconds = disk.copyMs / 1000;
  const speed = seconds > 0 ? ` (${formatBytes(disk.dataBytes / seconds)}/s)` : '';
  return [
    `### ${disk.file}`,
    '',
    table(
      ['', ''],
      [
        ['From', `${disk.sourceFile ?? 'nothing: an empty disk'}, ${disk.sourceFormat}`],
        ['Size the guest sees', `${formatBytes(disk.virtualSizeBytes)} (${disk.virtualSizeBytes} bytes)`],
        ['Data', `${formatBytes(disk.dataBytes)} (${disk.dataBytes} bytes)`],
        ['Space on the target', `${formatBytes(disk.allocatedBytes)} (${disk.allocatedBytes} bytes)`],
        ['Digest tree (SHA-256)', disk.digest?.root ?? 'not computed'],
        ...disk.storedDigests.map((each) => [
          `${each.algorithm} of ${each.name}`,
          `${each.actual}${each.expected === undefined ? ', not in a manifest' : ', as the manifest says'}`,
        ]),
        ['Copied in', `${formatDuration(disk.copyMs)}${speed}`],
        ['Verified in', disk.digest === undefined ? 'not verified' : formatDuration(disk.verifyMs)],
        ['Continued after interruptions', String(disk.resumes)],
      ],
    ),
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escapeCell).join(' | ')} |`;
  return [line(head), `|${head.map(() => ' --- |').join('')}`, ...rows.map(line), ''].join('\n');
}

/** Names come from the source and may hold anything. */
function escapeCell(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ')
    .replaceAll('|', '\\|')
    .replaceAll('<', '&lt;');
}

function code(text: string): string {
  return `\`${escapeCell(text).replaceAll('`', "'")}\``;
}
