import type { InspectedMachine } from '../../app/inspect-source.ts';
import { formatBytes } from '../../lib/format-units.ts';
import type { Io } from '../io.ts';
import { printable } from '../printable.ts';
import { renderTable } from './table.ts';

/** What is in a source, for people. */
export function renderMachines(machines: readonly InspectedMachine[], io: Pick<Io, 'paint' | 'columns'>): string {
  return machines.map((each) => renderMachine(each, io)).join('\n\n');
}

function renderMachine(
  { machine, disks }: InspectedMachine,
  { paint, columns }: Pick<Io, 'paint' | 'columns'>,
): string {
  const { cpu } = machine;
  const flags = [
    machine.firmware.toUpperCase(),
    machine.isSecureBoot ? 'Secure Boot' : '',
    machine.hasTpm ? 'TPM' : '',
  ].filter(Boolean);
  const controllerOf = new Map(
    machine.controllers.map((each) => [each.id, `${each.bus}${each.model === '' ? '' : ` (${each.model})`}`]),
  );
  return [
    `${paint.bold(printable(machine.name))}${machine.id === machine.name ? '' : `  id ${printable(machine.id)}`}`,
    renderTable(
      ['', ''],
      [
        ['CPU', `${cpu.sockets} sockets x ${cpu.coresPerSocket} cores x ${cpu.threadsPerCore} threads`],
        ['Memory', formatBytes(machine.memoryBytes)],
        ['Firmware', flags.join(', ')],
        ...(machine.guestOs === undefined ? [] : [['Guest', machine.guestOs.description ?? machine.guestOs.id]]),
        ...(machine.annotation === undefined ? [] : [['Annotation', machine.annotation.slice(0, 400)]]),
      ],
      columns,
    ).trimStart(),
    '',
    renderTable(
      ['DISK', 'CONTROLLER', 'UNIT', 'SIZE', 'FORMAT', 'FILE'],
      disks.map(({ disk, format }) => [
        disk.name,
        controllerOf.get(disk.controllerId ?? '') ?? '-',
        String(disk.unit ?? '-'),
        formatBytes(disk.virtualSizeBytes),
        format ?? '?',
        disk.fileName === undefined
          ? '(empty)'
          : `${disk.fileName}${disk.fileSizeBytes === undefined ? '' : ` (${formatBytes(disk.fileSizeBytes)})`}`,
      ]),
      columns,
    ),
    ...(machine.nics.length === 0
      ? []
      : [
          '',
          renderTable(
            ['NIC', 'MODEL', 'MAC', 'NETWORK'],
            machine.nics.map((nic) => [
              nic.id,
              nic.model || '-',
              nic.macAddress ?? '-',
              nic.isConnected ? (nic.network ?? '-') : `${nic.network ?? '-'} (disconnected)`,
            ]),
            columns,
          ),
        ]),
  ].join('\n');
}
