import type { MappingOptions } from '../../domain/hardware-mapping.ts';
import type { Controller, ControllerBus, GuestOs, Machine } from '../../domain/machine.ts';
import { randomBelow } from '../random.ts';

const GIB = 1024 ** 3;

export const windows2019: GuestOs = { family: 'windows', id: 'windows2019srv_64Guest' };
export const debian: GuestOs = { family: 'linux', id: 'debian12_64Guest', description: 'Debian GNU/Linux 12 (64-bit)' };
export const redHat: GuestOs = { family: 'linux', id: 'rhel8_64Guest' };

/** The smallest machine: BIOS, one SATA disk, no card. */
export function aMachine(properties: Partial<Machine> = {}): Machine {
  return {
    id: 'vm-1',
    name: 'web01',
    cpu: { sockets: 1, coresPerSocket: 1, threadsPerCore: 1 },
    memoryBytes: GIB,
    firmware: 'bios',
    isSecureBoot: false,
    hasTpm: false,
    controllers: [{ id: 'sata0', bus: 'sata', model: 'AHCI', busNumber: 0 }],
    disks: [
      { id: 'disk1', name: 'Hard disk 1', virtualSizeBytes: GIB, controllerId: 'sata0', unit: 0, fileName: 'd1.vmdk' },
    ],
    nics: [],
    otherDevices: [],
    settings: [],
    ...properties,
  };
}

export function someOptions(options: Partial<MappingOptions> = {}): MappingOptions {
  return { targetName: 'web01', networks: new Map(), diskFormat: 'qcow2', ...options };
}

export const linuxBiosMachine: Machine = aMachine({
  name: 'Web_01 (old)',
  annotation: 'Front end.\nAsk Kim before touching: "#42"',
  cpu: { sockets: 2, coresPerSocket: 4, threadsPerCore: 1 },
  memoryBytes: 6 * GIB,
  guestOs: debian,
  biosUuid: '564d1f2e-0c3a-9b4d-5e6f-7a8b9c0d1e2f',
  controllers: [
    { id: 'scsi0', bus: 'scsi', model: 'VirtualSCSI', busNumber: 0 },
    { id: 'ide0', bus: 'ide', model: '', busNumber: 0 },
  ],
  disks: [
    {
      id: 'disk1',
      name: 'Hard disk 1',
      virtualSizeBytes: 20 * GIB,
      controllerId: 'scsi0',
      unit: 0,
      fileName: 'web-disk1.vmdk',
      declaredFormat: 'http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized',
    },
    {
      id: 'disk2',
      name: 'Hard disk 2',
      virtualSizeBytes: 5 * GIB + 512,
      controllerId: 'scsi0',
      unit: 1,
      serial: 'DATA-2',
    },
  ],
  nics: [
    { id: 'nic1', model: 'VmxNet3', network: 'VM Network', macAddress: '00:50:56:AB:CD:EF', isConnected: true },
    { id: 'nic2', model: 'E1000', network: 'backup', isConnected: false },
  ],
  otherDevices: [{ kind: 'cd', name: 'CD/DVD drive 1' }],
  settings: [
    { kind: 'vmw:ExtraConfig', name: 'svga.autodetect', value: 'true' },
    { kind: 'Property', name: 'root_password', value: 'hunter2' },
  ],
});

export const windowsEfiMachine: Machine = aMachine({
  id: 'vm-77',
  name: 'SQL-Prod',
  cpu: { sockets: 1, coresPerSocket: 8, threadsPerCore: 2 },
  memoryBytes: 32 * GIB,
  firmware: 'efi',
  isSecureBoot: true,
  hasTpm: true,
  guestOs: windows2019,
  biosUuid: '56 4d 1f 2e 0c 3a 9b 4d-5e 6f 7a 8b 9c 0d 1e 2f',
  controllers: [
    { id: 'nvme0', bus: 'nvme', model: 'vmware.nvme.controller', busNumber: 0 },
    { id: 'sata0', bus: 'sata', model: 'vmware.sata.ahci', busNumber: 0 },
  ],
  disks: [
    {
      id: 'disk1',
      name: 'Hard disk 1',
      virtualSizeBytes: 80 * GIB,
      controllerId: 'nvme0',
      unit: 0,
      fileName: 'c.vmdk',
    },
    {
      id: 'disk2',
      name: 'Hard disk 2',
      virtualSizeBytes: 200 * GIB,
      controllerId: 'nvme0',
      unit: 1,
      fileName: 'd.vmdk',
    },
  ],
  nics: [{ id: 'nic1', model: 'VmxNet3', network: 'prod', macAddress: '00-50-56-00-11-22', isConnected: true }],
});

const BUSES: readonly ControllerBus[] = ['ide', 'scsi', 'sata', 'nvme', 'usb', 'virtio', 'fibre-channel'];
const MODELS = ['', 'lsilogic', 'lsilogicsas', 'VirtualSCSI', 'VirtIO-SCSI', 'AHCI', 'PIIX4', 'Zürich-☃'];
const NIC_MODELS = [
  '',
  'VmxNet3',
  'VmxNet2',
  'E1000',
  'E1000e',
  'PCNet32',
  'virtio',
  'rtl8139',
  'VirtualSriovEthernetCard',
  '82540EM',
];
const GUESTS: readonly (GuestOs | undefined)[] = [
  undefined,
  windows2019,
  debian,
  redHat,
  { family: 'windows', id: 'winXPProGuest' },
  { family: 'other', id: '94', description: 'FreeBSD' },
];
const TEXTS = [
  '',
  'plain',
  'a: b #c',
  '\u0000\u001b[31m',
  '{"x":[1]}',
  '😀'.repeat(50),
  '\ud800',
  '\u2028---\n...\n',
  '<&>'.repeat(900),
  'true',
  '0x1F',
  'yes',
  '12:30',
  '1e3',
  '~',
  'a\r\nb\u0085c\ufeff',
  ' lead\n\ttab \n',
];
const MACS = [
  undefined,
  '00:50:56:00:00:01',
  '005056000002',
  '01:00:5e:00:00:01',
  '00:00:00:00:00:00',
  'nonsense',
  '02:00:00:00:00:00',
];

/** Any machine that a hostile source could describe, within what parsers let through. */
export function randomMachine(random: () => number): Machine {
  const pick = <T>(values: readonly T[]): T => values[randomBelow(random, values.length)] as T;
  const many = <T>(most: number, make: (index: number) => T): T[] =>
    Array.from({ length: randomBelow(random, most + 1) }, (_, index) => make(index));
  const chance = () => random() < 0.5;
  const controllers: Controller[] = many(4, (index) => ({
    id: `controller ${index}/${pick(TEXTS)}`,
    bus: pick(BUSES),
    model: pick(MODELS),
    ...(chance() ? { busNumber: index } : {}),
  }));
  const guestOs = pick(GUESTS);
  return {
    id: pick(TEXTS),
    name: pick(TEXTS),
    ...(chance() ? { annotation: pick(TEXTS).repeat(randomBelow(random, 20)) } : {}),
    cpu: {
      sockets: 1 + randomBelow(random, 8),
      coresPerSocket: 1 + randomBelow(random, 16),
      threadsPerCore: 1 + randomBelow(random, 2),
    },
    memoryBytes: 1 + randomBelow(random, 2 ** 40),
    firmware: pick(['bios', 'efi']),
    isSecureBoot: chance(),
    hasTpm: chance(),
    ...(guestOs ? { guestOs } : {}),
    ...(chance() ? { biosUuid: pick(['564d1f2e-0c3a-9b4d-5e6f-7a8b9c0d1e2f', '', '0'.repeat(32), '{ABCD}']) } : {}),
    controllers,
    disks: many(12, (index) => ({
      id: `disk${index}`,
      name: pick(TEXTS),
      virtualSizeBytes: 1 + randomBelow(random, 2 ** 45),
      ...(controllers.length > 0 && chance() ? { controllerId: pick(controllers).id, unit: index } : {}),
      ...(chance() ? { bootOrder: randomBelow(random, 4) } : {}),
      ...(chance() ? { serial: pick(TEXTS) } : {}),
      ...(chance() ? { declaredFormat: pick(TEXTS) } : {}),
      ...(chance() ? { fileName: `${index}.vmdk` } : {}),
    })),
    nics: many(8, (index) => {
      const macAddress = pick(MACS);
      return {
        id: `nic${index}`,
        model: pick(NIC_MODELS),
        isConnected: chance(),
        ...(macAddress === undefined ? {} : { macAddress }),
        ...(chance() ? { network: pick(['VM Network', 'prod', 'nowhere', '']) } : {}),
      };
    }),
    otherDevices: many(6, (index) => ({
      kind: pick(['cd', 'floppy', 'serial', 'sound', 'pci', 'unheard-of']),
      name: `${pick(TEXTS)}${index}`,
    })),
    settings: many(30, (index) => ({
      kind: pick(['vmw:ExtraConfig', 'Property', 'Eula']),
      name: `${pick(TEXTS)}${index}`,
      value: pick(TEXTS),
    })),
  };
}
