import type { Nic, OtherDevice } from '../../domain/machine.ts';
import { controllerBus } from './controllers.ts';
import { field, type Item, isConnected } from './items.ts';
import { isDiskItem } from './machine-disks.ts';

const NIC = 10;
const HANDLED_ELSEWHERE = new Set([3, 4, NIC]);

/** What the resource types of CIM_ResourceAllocationSettingData stand for. */
const KINDS: ReadonlyMap<number, string> = new Map([
  [7, 'fibre channel adapter'],
  [8, 'iSCSI adapter'],
  [11, 'network port'],
  [14, 'floppy drive'],
  [15, 'CD drive'],
  [16, 'DVD drive'],
  [18, 'tape drive'],
  [19, 'storage extent'],
  [20, 'storage controller'],
  [21, 'serial port'],
  [22, 'parallel port'],
  [24, 'graphics card'],
  [35, 'sound card'],
]);

export function parseNics(items: readonly Item[]): Nic[] {
  return items
    .filter((item) => item.resourceType === NIC)
    .map((item, index) => {
      const macAddress = parseMacAddress(field(item, 'Address') ?? field(item, 'MACAddress'));
      const network = field(item, 'Connection') ?? field(item, 'Network');
      return {
        id: item.instanceId || `nic-${index + 1}`,
        model: firstWord(item.subType),
        ...(macAddress === undefined ? {} : { macAddress }),
        ...(network === undefined ? {} : { network }),
        isConnected: isConnected(item) && network !== undefined,
      };
    });
}

/** Devices that are neither processor, memory, disk, network card nor a controller that carries disks. */
export function parseOtherDevices(items: readonly Item[]): OtherDevice[] {
  return items
    .filter(
      (item) =>
        !HANDLED_ELSEWHERE.has(item.resourceType) &&
        !isDiskItem(item) &&
        !isTpmItem(item) &&
        controllerBus(item) === undefined,
    )
    .map((item) => ({ kind: kindOf(item), name: item.name || item.subType }));
}

export function hasTpmItem(items: readonly Item[]): boolean {
  return items.some(isTpmItem);
}

function isTpmItem(item: Item): boolean {
  return /vtpm/i.test(item.subType);
}

function kindOf(item: Item): string {
  const subType = item.subType.toLowerCase();
  if (subType.includes('nvdimm')) return 'NVDIMM';
  if (subType.includes('pci.passthrough')) return 'PCI passthrough';
  if (subType.includes('soundcard')) return 'sound card';
  if (subType.includes('serialport')) return 'serial port';
  if (subType === 'vmware.vmci') return 'VMCI';
  return KINDS.get(item.resourceType) ?? `device of type ${item.resourceType}`;
}

/** Lower case with colons. Other things in the field (a slot number, `auto`) are no address. */
function parseMacAddress(text: string | undefined): string | undefined {
  const digits = text?.trim().toLowerCase() ?? '';
  if (!/^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$|^[0-9a-f]{12}$/.test(digits)) return undefined;
  return digits.replace(/[:-]/g, '').match(/../g)?.join(':');
}

/** Of several alternatives ("VmxNet3, E1000") the first, which the writer prefers. */
function firstWord(subType: string): string {
  return subType.split(/[\s,]+/)[0] ?? '';
}
