import { changed, dropped, type FidelityRow, kept } from '../fidelity.ts';
import type { Finding } from '../finding.ts';
import type { Controller, Disk, Machine } from '../machine.ts';
import { chooseDiskBus, controllerKind, hasShownDriver, isSameHardware } from './disk-bus.ts';
import type { DiskBus, MappedDisk, MappingOptions } from './mapped-machine.ts';

const MIB = 1024 * 1024;

/** Disks and the controllers they hang on; a finding when the guest may not start from its first disk. */
export function mapDisks(
  machine: Machine,
  options: MappingOptions,
): { disks: MappedDisk[]; rows: FidelityRow[]; findings: Finding[] } {
  const controllers = new Map(machine.controllers.map((each) => [each.id, each]));
  const order = bootOrder(machine);
  const rows: FidelityRow[] = [];
  const findings: Finding[] = [];
  const busesOf = new Map<string, Set<DiskBus>>();

  const disks = machine.disks.map((disk, index): MappedDisk => {
    const controller = controllers.get(disk.controllerId ?? '');
    const kind = controllerKind(controller);
    const own = options.disks?.get(disk.id);
    const choice = chooseDiskBus(kind, machine.guestOs, {
      chosen: own?.bus ?? options.diskBus,
      fallback: options.defaultDiskBus,
    });
    const position = order.indexOf(disk) + 1;
    const serial = disk.serial === undefined ? undefined : fitSerial(disk.serial, choice.bus);
    const name = `disk-${index}`;

    rows.push(
      ...diskRows(disk, `${name}.${options.diskFormat}`, options.diskFormat),
      choice.reason === undefined
        ? kept(`disk[${disk.id}].bus`, describe(controller), choice.bus)
        : changed(`disk[${disk.id}].bus`, describe(controller), choice.bus, choice.reason),
      kept(`disk[${disk.id}].bootOrder`, disk.bootOrder ?? place(disk, controller), position),
    );
    if (disk.serial !== undefined) rows.push(serialRow(disk, disk.serial, serial));
    if (position === 1 && !hasShownDriver(machine, kind, choice.bus)) {
      findings.push(bootDoubt(machine, disk, describe(controller), choice.bus, options));
    }
    if (controller) busesOf.set(controller.id, (busesOf.get(controller.id) ?? new Set()).add(choice.bus));

    return {
      id: disk.id,
      name,
      claimName: own?.claimName ?? `${options.targetName}-${name}`,
      bus: choice.bus,
      bootOrder: position,
      ...(serial ? { serial } : {}),
    };
  });

  rows.push(...machine.controllers.map((each) => controllerRow(each, [...(busesOf.get(each.id) ?? [])])));
  return { disks, rows, findings };
}

/** The source's own boot order first; then the controllers as the source lists them, on each its units; disks without a controller last. */
function bootOrder(machine: Machine): Disk[] {
  const rank = new Map(machine.controllers.map((each, index) => [each.id, index]));
  const last = Number.MAX_SAFE_INTEGER;
  const compare = (a: number | undefined, b: number | undefined) => (a ?? last) - (b ?? last);
  return machine.disks.toSorted(
    (a, b) =>
      compare(a.bootOrder, b.bootOrder) ||
      compare(rank.get(a.controllerId ?? ''), rank.get(b.controllerId ?? '')) ||
      compare(a.unit, b.unit),
  );
}

function diskRows(disk: Disk, fileName: string, format: string): FidelityRow[] {
  const size = disk.virtualSizeBytes;
  const claimBytes = Math.ceil(size / MIB) * MIB;
  return [
    kept(
      `disk[${disk.id}]`,
      disk.fileName === undefined ? `${disk.name} (empty)` : `${disk.name} (${disk.fileName})`,
      fileName,
    ),
    claimBytes === size
      ? kept(`disk[${disk.id}].size`, `${size} bytes`)
      : changed(
          `disk[${disk.id}].size`,
          `${size} bytes`,
          `${claimBytes} bytes`,
          'volumes are whole MiB; the bytes past the end of the disk are zero',
        ),
    ...(disk.declaredFormat === undefined
      ? []
      : [changed(`disk[${disk.id}].format`, disk.declaredFormat, format, 'the format of the files written here')]),
  ];
}

/** KubeVirt admits these characters only; QEMU shows the guest no more than 20 of them on virtio and SATA, 36 on SCSI and USB. */
function fitSerial(serial: string, bus: DiskBus): string {
  const admissible = serial.replace(/[^A-Za-z0-9_.+-]/g, '');
  return admissible.slice(0, bus === 'virtio' || bus === 'sata' ? 20 : 36);
}

function serialRow(disk: Disk, source: string, target: string | undefined): FidelityRow {
  const property = `disk[${disk.id}].serial`;
  if (!target)
    return dropped(property, source, 'it has none of the characters that KubeVirt admits in a serial number');
  if (target === source) return kept(property, source);
  return changed(property, source, target, 'the bus shows the guest fewer characters, or KubeVirt admits fewer');
}

function controllerRow(controller: Controller, buses: readonly DiskBus[]): FidelityRow {
  const property = `controller[${controller.id}]`;
  const source = describe(controller);
  if (buses.length === 0)
    return dropped(property, source, 'no disk hangs on it; KubeVirt makes the controllers that disks need');
  const kind = controllerKind(controller);
  const isSame = buses.every((bus) => isSameHardware(kind, bus));
  const target = buses.join(', ');
  return isSame ? kept(property, source, target) : changed(property, source, target, 'its disks are on another bus');
}

function bootDoubt(machine: Machine, disk: Disk, source: string, bus: DiskBus, options: MappingOptions): Finding {
  const guest = machine.guestOs?.id ?? 'an unknown system';
  return {
    severity: options.bootDoubt === 'block' ? 'blocker' : 'warning',
    code: 'GuestMayNotBoot',
    message: `${machine.name} (${guest}) finds its boot disk ${disk.name} on ${bus} instead of ${source}; nothing shows that it has the driver for ${bus} at boot.`,
    subject: disk.id,
  };
}

function describe(controller: Controller | undefined): string {
  if (controller === undefined) return 'no controller named';
  const number = controller.busNumber === undefined ? '' : ` ${controller.busNumber}`;
  return controller.model ? `${controller.bus}${number} (${controller.model})` : `${controller.bus}${number}`;
}

function place(disk: Disk, controller: Controller | undefined): string {
  const unit = disk.unit === undefined ? '' : `, unit ${disk.unit}`;
  return `${describe(controller)}${unit}`;
}
