import type { Controller, Disk } from '../../domain/machine.ts';
import { busRank } from './controllers.ts';
import { field, type Item } from './items.ts';
import { malformed, ovfText, parseCount, quote } from './ovf-elements.ts';
import type { OvfDisk, OvfFile } from './ovf-package.ts';
import { diskBytes } from './references.ts';
import { parseByteUnit } from './units.ts';

/** Where the disks and files that a machine's items refer to are found. */
export interface DiskLookup {
  /** By file id and href. */
  readonly files: ReadonlyMap<string, OvfFile>;
  disk(id: string): OvfDisk | undefined;
  /** The disk that lies in a file. */
  diskOfFile(fileId: string): OvfDisk | undefined;
}

export interface MachineDisk {
  readonly disk: Disk;
  readonly source: OvfDisk;
}

/** Resource type of a disk, and of a logical disk, which OVF 2.x's own example uses. */
export function isDiskItem(item: Item): boolean {
  return item.resourceType === 17 || item.resourceType === 31;
}

/**
 * The machine's disks by bus (IDE, SATA, SCSI, NVMe), controller and unit: the order in which a machine looks for something to boot.
 * @param bootOrder instance ids of disks or places such as `scsi0:1`, the one to boot first
 */
export function parseMachineDisks(
  items: readonly Item[],
  controllers: readonly Controller[],
  lookup: DiskLookup,
  bootOrder: readonly string[],
): MachineDisk[] {
  const byId = new Map(controllers.map((controller, index) => [controller.id, { controller, index }]));
  const bootPosition = new Map(bootOrder.map((id, index) => [id, index + 1]));
  const ids = new Map<string, number>();
  return items
    .filter(isDiskItem)
    .map((item, index) => {
      const source = findSource(item, lookup);
      const id = uniqueId(item.instanceId || `disk-${index + 1}`, ids);
      const place = byId.get(field(item, 'Parent') ?? '');
      const unit = unitOf(item);
      const file = source.fileId === undefined ? undefined : lookup.files.get(source.fileId);
      const busNumber = place?.controller.busNumber ?? place?.index ?? 0;
      const slot = place ? `${place.controller.bus}${busNumber}:${unit ?? 0}` : '';
      const boot = bootPosition.get(item.instanceId) ?? bootPosition.get(slot) ?? ovirtBootOrder(item);
      const disk: Disk = {
        id,
        name: item.name || file?.href || source.diskId,
        virtualSizeBytes: source.capacityBytes,
        ...(place ? { controllerId: place.controller.id } : {}),
        ...(unit === undefined ? {} : { unit }),
        ...(file ? { fileName: file.href } : {}),
        ...(file?.sizeBytes === undefined ? {} : { fileSizeBytes: file.sizeBytes }),
        ...(source.populatedBytes === undefined ? {} : { populatedBytes: source.populatedBytes }),
        ...(source.format === undefined ? {} : { declaredFormat: source.format }),
        ...(boot === undefined ? {} : { bootOrder: boot }),
      };
      const order = [busRank(place?.controller.bus), busNumber, unit ?? Number.MAX_SAFE_INTEGER, index];
      return { disk, source, order };
    })
    .sort((left, right) => compare(left.order, right.order))
    .map(({ disk, source }) => ({ disk, source }));
}

function compare(left: readonly number[], right: readonly number[]): number {
  const differs = left.findIndex((value, index) => value !== right[index]);
  return differs === -1 ? 0 : (left[differs] ?? 0) - (right[differs] ?? 0);
}

/** Instance ids should differ; where a writer repeats one, later disks get a number. */
function uniqueId(wanted: string, taken: Map<string, number>): string {
  let number = (taken.get(wanted) ?? 0) + 1;
  let id = number === 1 ? wanted : `${wanted}-${number}`;
  for (; number > 1 && taken.has(id); id = `${wanted}-${number}`) number += 1;
  taken.set(wanted, number);
  if (id !== wanted) taken.set(id, 1);
  return id;
}

/**
 * HostResource is `ovf:/disk/ID` or `ovf:/file/ID`; older and careless writers leave out `ovf:` or the slash, or double it; oVirt writes the file's
 * href. Without one the item itself gives the size of an empty disk.
 */
function findSource(item: Item, lookup: DiskLookup): OvfDisk {
  const resource = field(item, 'HostResource');
  if (resource === undefined) return { diskId: item.instanceId, capacityBytes: ownCapacity(item) };
  const match = /^(?:ovf:)?\/*(disk|file)\/+(.+)$/i.exec(resource);
  const kind = match?.[1]?.toLowerCase();
  const id = match?.[2] ?? resource;
  if (kind === 'file') {
    const file = lookup.files.get(id);
    if (!file) throw malformed(item.element, `the disk ${quote(item.name)} refers to the unknown file ${quote(id)}`);
    return lookup.diskOfFile(file.id) ?? { diskId: item.instanceId, fileId: file.id, capacityBytes: ownCapacity(item) };
  }
  const hrefOwner = kind === undefined ? lookup.files.get(id) : undefined;
  const disk = lookup.disk(id) ?? (hrefOwner && lookup.diskOfFile(hrefOwner.id));
  if (!disk)
    throw malformed(item.element, `the device ${quote(item.name)} refers to the unknown disk ${quote(resource)}`);
  return disk;
}

function ownCapacity(item: Item): number {
  const quantity = field(item, 'VirtualQuantity');
  const unitText = field(item, 'AllocationUnits') ?? field(item, 'VirtualQuantityUnits') ?? '';
  if (quantity === undefined)
    throw malformed(item.element, `the disk ${quote(item.name)} has neither a host resource nor a size`);
  const unit = parseByteUnit(unitText);
  if (unit === undefined)
    throw malformed(item.element, `the disk ${quote(item.name)} has its size in the unknown unit ${quote(unitText)}`);
  return diskBytes(parseCount(quantity, item.element, 'the size of a disk') * unit, item.name);
}

function unitOf(item: Item): number | undefined {
  const text = field(item, 'AddressOnParent');
  return text !== undefined && /^[0-9]{1,5}$/.test(text) ? Number(text) : undefined;
}

function ovirtBootOrder(item: Item): number | undefined {
  const text = ovfText(item.element, 'BootOrder');
  return text !== undefined && /^[1-9][0-9]{0,3}$/.test(text) ? Number(text) : undefined;
}
