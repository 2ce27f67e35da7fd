import type { DiskProgress } from '../../api/virtual-machine-import.ts';
import type { ImportDescription } from '../../app/cluster/describe-import.ts';
import { formatBytes, formatDuration } from '../../lib/format-units.ts';
import type { Io } from '../io.ts';
import { printable } from '../printable.ts';
import { renderAge } from './age.ts';
import { renderToldFindings } from './findings.ts';
import { renderTable } from './table.ts';

type Look = Pick<Io, 'paint' | 'columns'>;

/** All that there is to know about an import, for people; parts of which there is nothing are left out. */
export function renderDescription(described: ImportDescription, io: Look, now: number): string {
  const { summary, machineImport, objects, events } = described;
  const { progress, importConditions = [] } = machineImport.status;
  const { findings = [], disks = [] } = progress ?? {};
  const part = (title: string, rows: readonly (readonly string[])[], head: readonly string[]) =>
    rows.length === 0 ? [] : ['', io.paint.bold(title), renderTable(rows, { head, columns: io.columns, indent: 2 })];
  return [
    `${io.paint.bold(printable(summary.name))} in namespace ${printable(summary.namespace)}`,
    renderTable(factsOf(described, now), { columns: io.columns, indent: 2 }),
    ...(findings.length === 0 ? [] : ['', io.paint.bold('Findings'), renderToldFindings(findings, io)]),
    ...part('Disks', disks.map(diskRow), ['#', 'NAME', 'PHASE', 'DONE', 'SIZE', 'VOLUME', 'NODE']),
    ...diskWords(disks, io),
    ...part(
      'Conditions',
      importConditions.map(({ type = '', status = '', reason = '', message = '', lastTransitionTime }) => [
        type,
        status,
        renderAge(lastTransitionTime, now),
        [reason, message].filter(Boolean).join(': '),
      ]),
      ['TYPE', 'STATUS', 'SINCE', 'WHY'],
    ),
    ...part(
      'Objects',
      objects.map(({ kind, name, state }) => [kind, name, state]),
      ['KIND', 'NAME', 'STATE'],
    ),
    ...part(
      'Events',
      events.map(({ at, reason, message, about, count }) => [
        renderAge(at, now),
        count > 1 ? `${reason} (${count} times)` : reason,
        about,
        message,
      ]),
      ['AGO', 'REASON', 'ABOUT', 'MESSAGE'],
    ),
  ].join('\n');
}

function factsOf({ summary, machineImport, source, unseen }: ImportDescription, now: number): string[][] {
  const { spec, status } = machineImport;
  const { startedAt, finishedAt, attempt = 1 } = status.progress ?? {};
  const { kind = '', namespace = '', name = '' } = spec.sourceCluster ?? {};
  const missing = unseen.length === 0 ? ', which is not there' : '';
  const verdict = [source?.status ?? 'not looked at yet', source?.reason, source?.address].filter(Boolean).join(', ');
  const target = Object.keys(spec.target)[0] ?? 'volume';
  const times = [
    startedAt === undefined ? '' : `begun ${renderAge(startedAt, now)} ago`,
    finishedAt === undefined ? '' : `done ${renderAge(finishedAt, now)} ago`,
    attempt > 1 ? `attempt ${attempt}` : '',
  ].filter(Boolean);
  const facts: readonly (readonly [string, string])[] = [
    ['phase', [summary.phase, ...progressWords(summary)].join(', ')],
    ['reason', [summary.reason, summary.message].filter(Boolean).join(': ')],
    ['next step', summary.nextStep ?? ''],
    ['source', `${kind} ${namespace}/${name}${source === undefined ? missing : `: ${verdict}`}`],
    ['target', spec.storageClass === undefined ? target : `${target}, class ${spec.storageClass}`],
    ['machine', summary.machine ?? ''],
    ['time', times.join(', ')],
    ['status', status.importStatus ?? ''],
  ];
  return facts.filter(([, text]) => text !== '').map((row) => [...row]);
}

function progressWords({ percent, doneBytes, totalBytes, bytesPerSecond, etaSeconds }: ImportDescription['summary']) {
  return [
    percent ?? '',
    doneBytes === undefined || totalBytes === undefined
      ? ''
      : `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`,
    bytesPerSecond === undefined ? '' : `${formatBytes(bytesPerSecond)}/s`,
    etaSeconds === undefined ? '' : `${formatDuration(etaSeconds * 1000)} left`,
  ].filter(Boolean);
}

function diskRow({ index, name, id, phase, doneBytes = 0, totalBytes, ...disk }: DiskProgress): string[] {
  return [
    String(index),
    name ?? id ?? '',
    phase ?? '',
    totalBytes === undefined ? formatBytes(doneBytes) : `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`,
    disk.virtualSizeBytes === undefined ? '' : formatBytes(disk.virtualSizeBytes),
    disk.claimName ?? '',
    disk.node ?? '',
  ];
}

/** What single disks wait for or failed with. */
function diskWords(disks: readonly DiskProgress[], { columns }: Look): string[] {
  const rows = disks.flatMap(({ index, reason, message }) =>
    message === undefined ? [] : [[`disk ${index}`, [reason, message].filter(Boolean).join(': ')]],
  );
  return rows.length === 0 ? [] : [renderTable(rows, { columns, indent: 2 })];
}
