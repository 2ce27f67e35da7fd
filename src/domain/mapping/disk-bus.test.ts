import { describe, expect, test } from 'vitest';
import { aMachine, debian, redHat, windows2019 } from '../../testing/kubevirt/sample-machines.ts';
import type { Controller } from '../machine.ts';
import { type ControllerKind, chooseDiskBus, controllerKind, hasShownDriver } from './disk-bus.ts';

const controller = (bus: Controller['bus'], model = ''): Controller => ({ id: 'c', bus, model });

describe('controllerKind', () => {
  test.each([
    [controller('scsi', 'lsilogic'), 'scsi'],
    [controller('scsi', 'VirtualSCSI'), 'scsi'],
    [controller('scsi', 'VirtIO-SCSI'), 'virtio-scsi'],
    [controller('sata', 'AHCI'), 'sata'],
    [controller('virtio'), 'virtio'],
    [undefined, 'unknown'],
  ] as const)('%j is %s to a guest', (given, expected) => {
    expect(controllerKind(given)).toBe(expected);
  });
});

describe('chooseDiskBus', () => {
  test.each([
    ['sata', 'sata'],
    ['virtio', 'virtio'],
    ['virtio-scsi', 'scsi'],
    ['usb', 'usb'],
  ] as const)('%s is kept as %s for every guest', (kind, bus) => {
    for (const guest of [windows2019, debian, undefined]) expect(chooseDiskBus(kind, guest)).toEqual({ bus });
  });

  test.each([
    ['scsi', 'sata', 'virtio-scsi'],
    ['ide', 'sata', 'no IDE'],
    ['fibre-channel', 'sata', 'no virtual Fibre Channel'],
    ['unknown', 'sata', 'does not say'],
  ] as const)('%s becomes %s and says why', (kind, bus, reason) => {
    for (const guest of [windows2019, debian, undefined]) {
      expect(chooseDiskBus(kind, guest)).toEqual({ bus, reason: expect.stringContaining(reason) });
    }
  });

  test('NVMe becomes virtio for Linux only', () => {
    expect(chooseDiskBus('nvme', debian).bus).toBe('virtio');
    expect(chooseDiskBus('nvme', windows2019).bus).toBe('sata');
    expect(chooseDiskBus('nvme', undefined).bus).toBe('sata');
  });

  test('Windows gets virtio only when it ran on it already', () => {
    const kinds: ControllerKind[] = ['virtio-scsi', 'scsi', 'sata', 'ide', 'nvme', 'usb', 'fibre-channel', 'unknown'];
    for (const kind of kinds) expect(chooseDiskBus(kind, windows2019).bus, kind).not.toBe('virtio');
  });

  test("the user's word stands above the table and is named as the reason", () => {
    expect(chooseDiskBus('ide', windows2019, { chosen: 'virtio' })).toEqual({
      bus: 'virtio',
      reason: 'chosen by the user',
    });
    expect(chooseDiskBus('sata', windows2019, { chosen: 'sata' })).toEqual({ bus: 'sata' });
  });
});

describe('hasShownDriver', () => {
  const scsi = controller('scsi', 'pvscsi');
  test.each([
    ['the same kind of controller', aMachine({ guestOs: windows2019 }), 'sata', 'sata', true],
    ['a SATA controller beside it', aMachine({ guestOs: windows2019 }), 'scsi', 'sata', true],
    ['no such controller, Windows', aMachine({ guestOs: windows2019, controllers: [scsi] }), 'scsi', 'sata', false],
    ['no such controller, Red Hat', aMachine({ guestOs: redHat, controllers: [scsi] }), 'scsi', 'sata', false],
    ['no such controller, Debian', aMachine({ guestOs: debian, controllers: [scsi] }), 'scsi', 'sata', true],
    ['no such controller, unknown guest', aMachine({ controllers: [scsi] }), 'scsi', 'sata', false],
    ['a pvscsi controller when virtio-scsi comes', aMachine({ controllers: [scsi] }), 'scsi', 'scsi', false],
  ] as const)('%s', (_, machine, kind, bus, expected) => {
    expect(hasShownDriver(machine, kind, bus)).toBe(expected);
  });
});
