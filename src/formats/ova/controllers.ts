import type { Controller, ControllerBus } from '../../domain/machine.ts';
import { field, type Item } from './items.ts';

/** Resource types (CIM_ResourceAllocationSettingData) that are controllers by themselves. */
const BUS_OF_TYPE: ReadonlyMap<number, ControllerBus> = new Map([
  [5, 'ide'],
  [6, 'scsi'],
  [7, 'fibre-channel'],
  [8, 'scsi'],
  [23, 'usb'],
]);

/** Type 20, "other storage device", tells its bus only in the subtype: `vmware.sata.ahci`, `AHCI`, `vmware.nvme.controller`, `VirtioSCSI`. */
const OTHER_STORAGE = 20;

export function parseControllers(items: readonly Item[]): Controller[] {
  return items.flatMap((item, index) => {
    const bus = controllerBus(item);
    if (bus === undefined) return [];
    const busNumber = busNumberOf(item);
    return [
      {
        id: item.instanceId || `controller-${index + 1}`,
        bus,
        model: preferredSubType(item),
        ...(busNumber === undefined ? {} : { busNumber }),
      },
    ];
  });
}

export function controllerBus(item: Item): ControllerBus | undefined {
  if (item.resourceType !== OTHER_STORAGE) return BUS_OF_TYPE.get(item.resourceType);
  const subType = item.subType.toLowerCase();
  if (/sata|ahci/.test(subType)) return 'sata';
  if (/nvme/.test(subType)) return 'nvme';
  if (/virtio.?scsi/.test(subType)) return 'scsi';
  if (/virtio/.test(subType)) return 'virtio';
  return undefined;
}

const KNOWN_SUBTYPES = /^(lsilogic|lsilogicsas|buslogic|virtualscsi|ahci|piix[34]|ich6|vmware\..*)$/i;

/** Of several alternatives ("buslogic, lsilogic") the first that is known, else the first. */
export function preferredSubType(item: Item): string {
  const alternatives = item.subType.split(/[\s,]+/).filter((word) => word !== '');
  if (alternatives.length < 2) return item.subType;
  return alternatives.find((word) => KNOWN_SUBTYPES.test(word)) ?? alternatives[0] ?? '';
}

function busNumberOf(item: Item): number | undefined {
  const text = field(item, 'Address') ?? field(item, 'BusNumber');
  return text !== undefined && /^[0-9]{1,4}$/.test(text) ? Number(text) : undefined;
}

/** Order in which firmware and guests count disks. */
const BUS_ORDER: readonly ControllerBus[] = ['ide', 'sata', 'scsi', 'nvme', 'virtio', 'fibre-channel', 'usb'];

export function busRank(bus: ControllerBus | undefined): number {
  return bus === undefined ? BUS_ORDER.length : BUS_ORDER.indexOf(bus);
}
