import { describe, expect, test } from 'vitest';
import { aMachine, randomMachine, someOptions } from '../testing/kubevirt/sample-machines.ts';
import { seededRandom } from '../testing/random.ts';
import { mapMachine } from './hardware-mapping.ts';

describe('mapMachine', () => {
  test('nothing of the source vanishes: every disk, card, controller, device and setting has a row, and every row says why', () => {
    const random = seededRandom(20261122);
    for (let run = 0; run < 500; run += 1) {
      const machine = randomMachine(random);
      const { fidelity } = mapMachine(machine, someOptions({ networks: new Map([['prod', 'default/vlan10']]) }));
      const count = (property: string) => fidelity.filter((each) => each.property === property).length;
      for (const each of machine.disks) expect(count(`disk[${each.id}]`)).toBe(1);
      for (const each of machine.nics) expect(count(`nic[${each.id}]`)).toBe(1);
      for (const each of machine.controllers) expect(count(`controller[${each.id}]`)).toBeGreaterThan(0);
      for (const each of machine.otherDevices) expect(count(`device[${each.kind} ${each.name}]`)).toBeGreaterThan(0);
      for (const each of machine.settings) expect(count(`setting[${each.kind} ${each.name}]`)).toBeGreaterThan(0);
      const single = ['id', 'name', 'cpu.sockets', 'memory', 'firmware'];
      for (const property of single) expect(count(property), property).toBe(1);
      expect(count('annotation')).toBe(machine.annotation === undefined ? 0 : 1);
      expect(count('guestOs')).toBe(machine.guestOs === undefined ? 0 : 1);
      expect(count('firmware.uuid')).toBe(machine.biosUuid === undefined ? 0 : 1);
      for (const row of fidelity) {
        expect(row.source.length).toBeLessThan(260);
        if (row.outcome !== 'kept') expect(row.reason, row.property).not.toBe('');
        if (row.outcome === 'dropped') expect(row.target).toBe('');
      }
    }
  });

  test('boot orders are 1 to n, each once, and one card at most is on the pod network', () => {
    const random = seededRandom(3);
    for (let run = 0; run < 500; run += 1) {
      const { hardware } = mapMachine(randomMachine(random), someOptions());
      const orders = hardware.disks.map((each) => each.bootOrder).toSorted((a, b) => a - b);
      expect(orders).toEqual(hardware.disks.map((_, index) => index + 1));
      expect(hardware.nics.filter((each) => each.network === 'pod').length).toBeLessThan(2);
    }
  });

  test('a machine stays off unless told otherwise', () => {
    expect(mapMachine(aMachine(), someOptions()).hardware.runStrategy).toBe('Halted');
    expect(mapMachine(aMachine(), someOptions({ runStrategy: 'Always' })).hardware.runStrategy).toBe('Always');
  });

  test('devices that are left out are told in one note', () => {
    const otherDevices = [
      { kind: 'cd', name: 'CD/DVD drive 1' },
      { kind: 'floppy', name: 'Floppy drive 1' },
    ];
    const { findings } = mapMachine(aMachine({ otherDevices }), someOptions());
    expect(findings).toEqual([
      {
        severity: 'note',
        code: 'HardwareDropped',
        message: '2 devices are left out: CD/DVD drive 1, Floppy drive 1.',
        subject: 'devices',
      },
    ]);
  });

  test('the mapping is the same each time', () => {
    const machine = randomMachine(seededRandom(1));
    expect(mapMachine(machine, someOptions())).toEqual(mapMachine(machine, someOptions()));
  });
});
