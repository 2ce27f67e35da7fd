import { describe, expect, test } from 'vitest';
import { debian, windows2019 } from '../../testing/kubevirt/sample-machines.ts';
import { chooseNicModel } from './nic-model.ts';

describe('chooseNicModel', () => {
  test.each([
    ['E1000', 'e1000'],
    ['VirtualE1000', 'e1000'],
    ['82540EM', 'e1000'],
    ['E1000e', 'e1000e'],
    ['VirtualE1000e', 'e1000e'],
    ['PCNet32', 'pcnet'],
    ['VirtualPCNet32', 'pcnet'],
    ['virtio', 'virtio'],
    ['virtio-net', 'virtio'],
    ['rtl8139', 'rtl8139'],
    ['ne2k_pci', 'ne2k_pci'],
  ])('%s is kept as %s for every guest', (source, model) => {
    for (const guest of [windows2019, debian, undefined]) expect(chooseNicModel(source, guest)).toEqual({ model });
  });

  test.each(['VmxNet', 'VirtualVmxnet2', 'VmxNet3', 'VirtualSriovEthernetCard', ''])(
    '%j becomes virtio for Linux',
    (source) => {
      expect(chooseNicModel(source, debian)).toEqual({ model: 'virtio', reason: expect.any(String) });
    },
  );

  test.each([
    ['windows2019srv_64Guest', 'e1000e'],
    ['windows9_64Guest', 'e1000e'],
    ['windows8Server64Guest', 'e1000e'],
    ['windows7Server64Guest', 'e1000'],
    ['winLonghornGuest', 'e1000'],
    ['winXPProGuest', 'rtl8139'],
    ['winNetEnterpriseGuest', 'rtl8139'],
  ])('VmxNet3 on %s becomes %s, for which that Windows brings the driver', (id, model) => {
    expect(chooseNicModel('VmxNet3', { family: 'windows', id })).toMatchObject({ model });
  });

  test('an unknown guest gets e1000', () => {
    expect(chooseNicModel('VmxNet3', undefined)).toMatchObject({ model: 'e1000' });
  });
});
