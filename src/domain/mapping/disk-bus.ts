import type { Controller, GuestOs, Machine } from '../machine.ts';
import type { DiskBus } from './mapped-machine.ts';

/** What a controller is to a guest's drivers: finer than the bus, since three kinds of SCSI need three drivers. */
export type ControllerKind =
  | 'virtio'
  | 'virtio-scsi'
  | 'scsi'
  | 'sata'
  | 'ide'
  | 'nvme'
  | 'usb'
  | 'fibre-channel'
  | 'unknown';

export interface BusChoice {
  readonly bus: DiskBus;
  /** Absent when the guest finds the same kind of controller as before. */
  readonly reason?: string;
}

/** What the user says about buses. */
export interface BusWord {
  /** For this disk. */
  readonly chosen?: DiskBus | undefined;
  /** For disks whose controller is not known. */
  readonly fallback?: DiskBus | undefined;
}

/**
 * What KubeVirt has for each kind: the same (a guest that ran on one has its driver), or a reason why not. Then it is SATA, whose AHCI driver is part of
 * nearly every system; those of virtio are not part of Windows, nor of every initial RAM disk.
 */
const kinds: Readonly<Record<ControllerKind, { readonly same: DiskBus } | { readonly missing: string }>> = {
  virtio: { same: 'virtio' },
  'virtio-scsi': { same: 'scsi' },
  sata: { same: 'sata' },
  usb: { same: 'usb' },
  scsi: { missing: 'the only SCSI of KubeVirt is virtio-scsi, for which the guest has shown no driver' },
  ide: { missing: 'KubeVirt has no IDE' },
  nvme: { missing: 'KubeVirt has no NVMe' },
  'fibre-channel': { missing: 'KubeVirt has no virtual Fibre Channel' },
  unknown: { missing: 'the source does not say to which controller the disk belongs' },
};

export function controllerKind(controller: Controller | undefined): ControllerKind {
  if (controller === undefined) return 'unknown';
  if (controller.bus === 'scsi' && /virtio/i.test(controller.model)) return 'virtio-scsi';
  return controller.bus;
}

/**
 * The bus for a disk that was on this kind of controller. Windows never gets virtio from this table unless it already ran on it; only the
 * user's own word does that.
 */
export function chooseDiskBus(kind: ControllerKind, guest: GuestOs | undefined, word: BusWord = {}): BusChoice {
  const known = kinds[kind];
  const { chosen, fallback } = word;
  if (chosen !== undefined) {
    return isSameHardware(kind, chosen) ? { bus: chosen } : { bus: chosen, reason: 'chosen by the user' };
  }
  if ('same' in known) return { bus: known.same };
  if (kind === 'unknown' && fallback !== undefined)
    return { bus: fallback, reason: `${known.missing}; chosen by the user for such disks` };
  if (kind === 'nvme' && guest?.family === 'linux') {
    return { bus: 'virtio', reason: `${known.missing}; virtio is the fast bus, and Linux has a driver for it` };
  }
  return { bus: 'sata', reason: known.missing };
}

export function isSameHardware(kind: ControllerKind, bus: DiskBus): boolean {
  const known = kinds[kind];
  return 'same' in known && known.same === bus;
}

/**
 * Whether anything shows that the guest has a boot-time driver for the bus: it was on the same kind of controller before, it has another such controller and
 * so loads the driver, or its distribution puts all drivers into the initial RAM disk.
 */
export function hasShownDriver(machine: Machine, kind: ControllerKind, bus: DiskBus): boolean {
  if (isSameHardware(kind, bus)) return true;
  if (machine.controllers.some((each) => isSameHardware(controllerKind(each), bus))) return true;
  return startsOnAnyBus(machine.guestOs);
}

/**
 * Debian and Ubuntu build their initial RAM disk with every storage driver (initramfs-tools, MODULES=most). Dracut's default on Red Hat's and SUSE's systems is
 * host-only: just the drivers for the hardware it saw.
 */
function startsOnAnyBus(guest: GuestOs | undefined): boolean {
  return guest?.family === 'linux' && /debian|ubuntu/i.test(`${guest.id} ${guest.description ?? ''}`);
}
