import type { InspectedMachine } from '../../app/inspect-source.ts';
import type { CpuTopology, Machine } from '../../domain/machine.ts';
import { formatBytes } from '../../lib/format-units.ts';
import type { Io } from '../io.ts';
import { printable } from '../printable.ts';
import { renderTable } from './table.ts';

const ANNOTATION_CHARACTERS = 400;

/** What is in a source, for people. */
export function renderMachines(machines: readonly InspectedMachine[], io: Pick<Io, 'paint' | 'columns'>): string {
  return machines.map((each) => renderMachine(each, io)).join('\n\n');
}

function renderMachine({ machine, disks }: InspectedMachine, { paint, columns }: Pick<Io, 'paint' | 'columns'>) {
  const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
    rows.length === 0 ? [] : ['', renderTable(rows, { head, columns, indent: 2 })];
  return [
    `${paint.bold(printable(machine.name))}${machine.id === machine.name ? '' : ` (id ${printable(machine.id)})`}`,
    renderTable(facts(machine), { columns, indent: 2 }),
    ...table(
      ['DISK', 'CONTROLLER', 'SIZE', 'FORMAT', 'FILE'],
      disks.map((each) => diskRow(each, machine)),
    ),
    ...table(['NIC', 'MODEL', 'MAC', 'NETWORK'], machine.nics.map(nicRow)),
  ].join('\n');
}

function facts(machine: Machine): string[][] {
  const { guestOs, annotation = '', otherDevices, settings } = machine;
  const firmware = [machine.firmware.toUpperCase(), machine.isSecureBoot && 'Secure Boot', machine.hasTpm && 'TPM'];
  return [
    ['CPU', describeCpu(machine.cpu)],
    ['Memory', formatBytes(machine.memoryBytes)],
    ['Firmware', firmware.filter(Boolean).join(', ')],
    ...(guestOs === undefined ? [] : [['Guest', guestOs.description ?? guestOs.id]]),
    ...(annotation === '' ? [] : [['Annotation', shorten(annotation)]]),
    ...(otherDevices.length === 0 ? [] : [['Also', otherDevices.map((each) => each.name || each.kind).join(', ')]]),
    ...(settings.length === 0 ? [] : [['Settings', `${settings.length}, listed by --output json`]]),
  ];
}

function describeCpu({ sockets, coresPerSocket, threadsPerCore }: CpuTopology): string {
  const total = sockets * coresPerSocket * threadsPerCore;
  const plural = (count: number, word: string) => `${count} ${word}${count === 1 ? '' : 's'}`;
  return `${total} (${plural(sockets, 'socket')} x ${plural(coresPerSocket, 'core')} x ${plural(threadsPerCore, 'thread')})`;
}

function diskRow({ disk, format }: InspectedMachine['disks'][number], machine: Machine): string[] {
  const controller = machine.controllers.find(({ id }) => id === disk.controllerId);
  const place =
    controller === undefined
      ? '-'
      : `${controller.bus} ${controller.busNumber ?? ''}${disk.unit === undefined ? '' : `:${disk.unit}`}`;
  const model = controller?.model ? ` (${controller.model})` : '';
  const fileSize = disk.fileSizeBytes === undefined ? '' : ` (${formatBytes(disk.fileSizeBytes)})`;
  return [
    disk.name,
    place + model,
    formatBytes(disk.virtualSizeBytes),
    format ?? '?',
    disk.fileName === undefined ? '(created empty)' : `${disk.fileName}${fileSize}`,
  ];
}

function nicRow(nic: Machine['nics'][number]): string[] {
  const network = nic.network ?? '-';
  return [nic.id, nic.model || '-', nic.macAddress ?? '-', nic.isConnected ? network : `${network} (disconnected)`];
}

function shorten(text: string): string {
  return text.length <= ANNOTATION_CHARACTERS ? text : `${text.slice(0, ANNOTATION_CHARACTERS)}...`;
}
