import { describe, expect, test } from 'vitest';
import { aMachine, redHat, someOptions, windows2019 } from '../../testing/kubevirt/sample-machines.ts';
import type { Controller, Disk } from '../machine.ts';
import { mapDisks } from './map-disks.ts';

const pvscsi: Controller = { id: 'scsi0', bus: 'scsi', model: 'VirtualSCSI', busNumber: 0 };
const ide: Controller = { id: 'ide0', bus: 'ide', model: 'PIIX4' };
const disk = (id: string, properties: Partial<Disk> = {}): Disk => ({
  id,
  name: id,
  virtualSizeBytes: 2 ** 30,
  ...properties,
});
const bootOrders = (disks: Disk[], controllers = [pvscsi, ide]) =>
  Object.fromEntries(
    mapDisks(aMachine({ controllers, disks }), someOptions()).disks.map((each) => [each.id, each.bootOrder]),
  );

describe('boot order', () => {
  test('follows the controllers as listed and their units, whatever the order of the disks', () => {
    const disks = [
      disk('d', { controllerId: 'ide0', unit: 0 }),
      disk('c', { controllerId: 'scsi0', unit: 8 }),
      disk('b', { controllerId: 'scsi0', unit: 1 }),
      disk('a', { controllerId: 'scsi0', unit: 0 }),
    ];
    expect(bootOrders(disks)).toEqual({ a: 1, b: 2, c: 3, d: 4 });
  });

  test("the source's own order wins over places, and disks that it leaves out follow", () => {
    const disks = [
      disk('a', { controllerId: 'scsi0', unit: 0 }),
      disk('b', { controllerId: 'scsi0', unit: 1, bootOrder: 7 }),
      disk('c', { controllerId: 'scsi0', unit: 2, bootOrder: 3 }),
    ];
    expect(bootOrders(disks)).toEqual({ c: 1, b: 2, a: 3 });
  });

  test('disks without a controller or with an unheard-of one come last, in their own order', () => {
    const disks = [disk('x'), disk('y', { controllerId: 'gone' }), disk('a', { controllerId: 'ide0' })];
    expect(bootOrders(disks)).toEqual({ a: 1, x: 2, y: 3 });
  });
});

describe("the user's word", () => {
  const disks = [disk('a', { controllerId: 'scsi0', unit: 0 }), disk('b')];
  const machine = aMachine({ controllers: [pvscsi], disks });

  test('for one disk stands above that for all', () => {
    const own = new Map([['b', { bus: 'usb', claimName: 'data' }]] as const);
    const mapped = mapDisks(machine, someOptions({ targetName: 'web', diskBus: 'scsi', disks: own })).disks;
    expect(mapped.map(({ bus, claimName }) => [bus, claimName])).toEqual([
      ['scsi', 'web-disk-0'],
      ['usb', 'data'],
    ]);
  });

  test('for disks of unknown controllers leaves the others alone', () => {
    const mapped = mapDisks(machine, someOptions({ defaultDiskBus: 'virtio' })).disks;
    expect(mapped.map(({ bus }) => bus)).toEqual(['sata', 'virtio']);
  });
});

describe('doubt about booting', () => {
  const windowsOnScsi = aMachine({
    guestOs: windows2019,
    controllers: [pvscsi],
    disks: [disk('a', { controllerId: 'scsi0', unit: 0 }), disk('b', { controllerId: 'scsi0', unit: 1 })],
  });

  test('W30: is told once, for the boot disk, when nothing shows the driver', () => {
    expect(mapDisks(windowsOnScsi, someOptions()).findings).toEqual([
      {
        severity: 'warning',
        code: 'GuestMayNotBoot',
        subject: 'a',
        message:
          'web01 (windows2019srv_64Guest) finds its boot disk a on sata instead of scsi 0 (VirtualSCSI); nothing shows that it has the driver for sata at boot.',
      },
    ]);
  });

  test('is a blocker by choice', () => {
    expect(mapDisks(windowsOnScsi, someOptions({ bootDoubt: 'block' })).findings[0]?.severity).toBe('blocker');
  });

  test('is not there when the guest has such a controller already', () => {
    const sata: Controller = { id: 'sata0', bus: 'sata', model: 'AHCI' };
    const machine = { ...windowsOnScsi, controllers: [pvscsi, sata] };
    expect(mapDisks(machine, someOptions()).findings).toEqual([]);
  });

  test('is told when the user chooses a bus without proof, and the choice stands', () => {
    const { disks, findings } = mapDisks(aMachine({ guestOs: redHat }), someOptions({ diskBus: 'virtio' }));
    expect(disks[0]?.bus).toBe('virtio');
    expect(findings[0]?.code).toBe('GuestMayNotBoot');
  });
});

describe('serial numbers', () => {
  const serialOf = (serial: string, bus: Controller['bus']) => {
    const controllers = [{ id: 'c', bus, model: 'virtio' }];
    const mapped = mapDisks(
      aMachine({ controllers, disks: [disk('a', { serial, controllerId: 'c' })] }),
      someOptions(),
    );
    return [mapped.disks[0]?.serial, mapped.rows.find((each) => each.property === 'disk[a].serial')?.outcome];
  };
  test.each([
    ['WD-123_4.5+6', 'virtio', 'WD-123_4.5+6', 'kept'],
    ['6000c29a b0f1', 'virtio', '6000c29ab0f1', 'changed'],
    ['6000c29ab0f16000c29ab0f1', 'virtio', '6000c29ab0f16000c29a', 'changed'],
    ['6000c29ab0f16000c29ab0f1', 'scsi', '6000c29ab0f16000c29ab0f1', 'kept'],
    ['☃', 'sata', undefined, 'dropped'],
  ] as const)('%j on %s becomes %j and is %s', (serial, bus, expected, outcome) => {
    expect(serialOf(serial, bus)).toEqual([expected, outcome]);
  });
});

describe('rows', () => {
  const rows = (machine = aMachine()) =>
    new Map(mapDisks(machine, someOptions()).rows.map((each) => [each.property, each]));

  test('a size that is no whole MiB is changed, since claims are', () => {
    const machine = aMachine({ disks: [disk('a', { virtualSizeBytes: 2 ** 20 + 512 })] });
    expect(rows(machine).get('disk[a].size')).toMatchObject({ source: '1049088 bytes', target: '2097152 bytes' });
    expect(rows().get('disk[disk1].size')?.outcome).toBe('kept');
  });

  test('a controller is kept, changed or dropped as its disks are', () => {
    const sata: Controller = { id: 'sata0', bus: 'sata', model: '' };
    const machine = aMachine({
      controllers: [sata, pvscsi, ide],
      disks: [disk('a', { controllerId: 'sata0' }), disk('b', { controllerId: 'scsi0' })],
    });
    expect(['sata0', 'scsi0', 'ide0'].map((id) => rows(machine).get(`controller[${id}]`)?.outcome)).toEqual([
      'kept',
      'changed',
      'dropped',
    ]);
  });
});
