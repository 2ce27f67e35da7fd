import { execFileSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Machine } from '../../domain/machine.ts';
import { isProblem } from '../../domain/problems.ts';
import { findGo } from '../../testing/go/go-toolchain.ts';
import { requirePresent } from '../../testing/require-tool.ts';
import { parseOvf } from './ovf.ts';
import type { OvfPackage } from './ovf-package.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

const go = findGo();
const hasGo = requirePresent('Go', go !== undefined);

/** Real descriptors from VMware's own test data. What is expected was read off the files by hand. */
describe.skipIf(!hasGo)('descriptors in the Go module github.com/vmware/govmomi', () => {
  let folder = '';

  beforeAll(() => {
    const answer = execFileSync(go ?? 'go', ['mod', 'download', '-json', 'github.com/vmware/govmomi@v0.56.0'], {
      encoding: 'utf8',
      env: { ...process.env, GOFLAGS: '-mod=mod' },
    });
    folder = join((JSON.parse(answer) as { Dir: string }).Dir, 'ovf', 'fixtures');
  });

  const read = (name: string, deployment?: string): OvfPackage =>
    parseOvf(readFileSync(join(folder, name)), { name, deployment });
  const machineOf = (ovf: OvfPackage): Machine => {
    const [first] = ovf.machines;
    if (!first) throw new Error('no machine');
    return first.machine;
  };
  const brief = (machine: Machine) => ({
    name: machine.name,
    cpus: machine.cpu.sockets * machine.cpu.coresPerSocket,
    memoryMiB: machine.memoryBytes / MIB,
    firmware: machine.firmware,
    disks: machine.disks.map((disk) => [disk.fileName ?? 'empty', disk.virtualSizeBytes]),
  });

  it('ubuntu24.10.ovf', () => {
    const machine = machineOf(read('ubuntu24.10.ovf'));
    expect(machine).toMatchObject({
      id: 'ubuntu-oracular-24.10-cloudimg-20241109',
      name: 'ubuntu-oracular-24.10-cloudimg-20241109',
      cpu: { sockets: 2, coresPerSocket: 1, threadsPerCore: 1 },
      memoryBytes: 1024 * MIB,
      firmware: 'bios',
      isSecureBoot: false,
      hasTpm: false,
      guestOs: { family: 'linux', id: 'ubuntu64Guest' },
      controllers: [
        { id: '3', bus: 'scsi', model: 'VirtualSCSI', busNumber: 0 },
        { id: '5', bus: 'ide', model: '', busNumber: 1 },
        { id: '6', bus: 'ide', model: '', busNumber: 0 },
      ],
      disks: [
        {
          virtualSizeBytes: 10 * GIB,
          controllerId: '3',
          unit: 0,
          fileName: 'ubuntu-oracular-24.10-cloudimg.vmdk',
          fileSizeBytes: 595_726_336,
        },
      ],
      nics: [{ model: 'VmxNet3', network: 'VM Network', isConnected: true }],
    });
    expect(machine.otherDevices.map((device) => device.kind)).toEqual(
      expect.arrayContaining(['serial port', 'graphics card', 'VMCI', 'CD drive', 'floppy drive']),
    );
  });

  it('photon5.ovf', () => {
    expect(machineOf(read('photon5.ovf'))).toMatchObject({
      name: 'Photon OS',
      cpu: { sockets: 1 },
      memoryBytes: 2 * GIB,
      firmware: 'efi',
      isSecureBoot: false,
      guestOs: { family: 'linux', id: 'vmwarePhoton64Guest' },
      controllers: [
        { bus: 'sata', model: 'vmware.sata.ahci' },
        { bus: 'scsi', model: 'VirtualSCSI' },
      ],
      disks: [{ virtualSizeBytes: 16 * GIB, controllerId: '4', unit: 0, fileName: 'photon-ova-disk1.vmdk' }],
      nics: [{ model: 'VmxNet3', network: 'None' }],
    });
  });

  it('a machine with EFI, Secure Boot and TPM', () => {
    expect(machineOf(read('external/vtpm-ovf/vtpm-spec-with-nvram.ovf'))).toMatchObject({
      memoryBytes: GIB,
      firmware: 'efi',
      isSecureBoot: true,
      hasTpm: true,
      guestOs: { family: 'linux', id: 'centos8_64Guest' },
      disks: [{ virtualSizeBytes: GIB, fileName: 'vtpm-spec-with-nvram-1.vmdk' }],
    });
    expect(machineOf(read('external/win19/win19.ovf'))).toMatchObject({
      cpu: { sockets: 1, coresPerSocket: 2 },
      isSecureBoot: true,
      hasTpm: true,
      guestOs: { family: 'windows', id: 'windows2019srv_64Guest' },
      nics: [{ model: 'E1000E', network: 'VM Network' }],
    });
  });

  it('ttylinux.ovf', () => {
    expect(brief(machineOf(read('ttylinux.ovf')))).toEqual({
      name: 'ttylinux-pc_i486-16.1',
      cpus: 1,
      memoryMiB: 32,
      firmware: 'bios',
      disks: [['ttylinux-pc_i486-16.1-disk1.vmdk', 30 * MIB]],
    });
  });

  it('configspec.ovf: every kind of controller', () => {
    const machine = machineOf(read('configspec.ovf'));
    expect(machine.cpu).toEqual({ sockets: 1, coresPerSocket: 2, threadsPerCore: 1 });
    expect(machine.controllers.map(({ bus, model, busNumber }) => [bus, model, busNumber])).toEqual([
      ['scsi', 'lsilogic', 0],
      ['ide', '', 1],
      ['ide', '', 0],
      ['scsi', 'VirtualSCSI', 1],
      ['sata', 'vmware.sata.ahci', 0],
      ['sata', 'ahci', 1],
      ['nvme', 'vmware.nvme.controller', 0],
      ['usb', 'vmware.usb.ehci', undefined],
      ['usb', 'vmware.usb.xhci', undefined],
    ]);
    expect(machine.disks.map((disk) => disk.name)).toEqual([
      'Hard Disk 3',
      'Hard Disk 4',
      'Hard Disk 1',
      'Hard Disk 2',
      'Hard Disk 5',
    ]);
  });

  it.each([
    [
      undefined,
      8,
      8192,
      [
        ['system-large.vmdk', 4 * GIB],
        ['model-large.vmdk', 4 * GIB],
        ['empty', 4 * GIB],
      ],
    ],
    ['small', 2, 2048, [['system-and-model-small.vmdk', GIB]]],
    [
      'medium',
      4,
      4096,
      [
        ['system-and-model-medium.vmdk', 2 * GIB],
        ['empty', 2 * GIB],
      ],
    ],
  ])('deployment-configs.ovf deployed as %s', (deployment, cpus, memoryMiB, disks) => {
    const ovf = read('deployment-configs.ovf', deployment);
    expect(ovf.deployment).toBe(deployment ?? 'large');
    expect(brief(machineOf(ovf))).toMatchObject({ cpus, memoryMiB, disks });
  });

  it('disk-capacity-property.ovf and uber.ovf: sizes from a property', () => {
    expect(brief(machineOf(read('disk-capacity-property.ovf'))).disks).toEqual([['empty', 5 * GIB]]);
    expect(brief(machineOf(read('uber.ovf', 'extended'))).disks).toEqual([
      ['uber-os.vmdk', 20 * GIB],
      ['empty', 5 * GIB],
    ]);
  });

  it('virtualsystemcollection.ovf: the example of the OVF 2.1.1 specification', () => {
    const ovf = read('virtualsystemcollection.ovf');
    expect(ovf.version).toBe('2.x');
    expect(ovf.machines.map(({ machine }) => [machine.id, machine.name, machine.nics[0]?.macAddress])).toEqual([
      ['storage server', 'Virtual Appliance One', '00:16:8b:db:00:5e'],
      ['web-server', 'Virtual Appliance Two', '00:16:8b:db:00:5f'],
    ]);
    expect(ovf.machines.map(({ machine }) => machine.memoryBytes)).toEqual([GIB, GIB]);
  });

  it('a collection in a collection in a collection', () => {
    const ovf = read('external/nested-vapp/nested-vapp.ovf');
    expect(ovf.startupOrder).toEqual(['childVapp', 'nestedRootVm']);
    expect(ovf.machines.map(({ machine }) => brief(machine))).toEqual([
      { name: 'grandVm', cpus: 1, memoryMiB: 512, firmware: 'bios', disks: [['nested-vapp-disk1.vmdk', 512 * MIB]] },
      { name: 'childVm', cpus: 1, memoryMiB: 512, firmware: 'bios', disks: [['nested-vapp-disk2.vmdk', 512 * MIB]] },
      {
        name: 'nestedRootVm',
        cpus: 1,
        memoryMiB: 256,
        firmware: 'bios',
        disks: [['nested-vapp-disk3.vmdk', 512 * MIB]],
      },
    ]);
  });

  it('VMware vCenter 9.1, with 16 deployment options and 17 disks', () => {
    const ovf = read('vmware/VMware-vCenter-Server-Appliance-9.1.0.0.25262036_OVF10.ovf');
    expect(ovf.deployments).toHaveLength(16);
    expect(ovf.deployment).toBe('tiny');
    expect(machineOf(ovf)).toMatchObject({ cpu: { sockets: 2 }, memoryBytes: 14_336 * MIB });
    expect(machineOf(ovf).disks[0]).toMatchObject({
      virtualSizeBytes: 49_728 * MIB,
      fileName: 'VMware-vCenter-Server-Appliance-9.1.0.0.25262036-system.vmdk',
    });
  });

  it('VirtualBox in OVF 1.0 and in 0.9 give the same machine', () => {
    const at = 'external/OVFToolTemplates/OVF/xmltestfiles/LaxMode/Pos';
    const newer = read(`${at}/vbox5_all_storage_controllers/vbox5.ovf`);
    const older = read(`${at}/vbox5_all_storage_controllers_0.9/vbox5_0.9.ovf`);
    expect([newer.version, older.version]).toEqual(['1.x', '0.9']);
    expect(machineOf(older)).toMatchObject({
      name: 'vbox5',
      cpu: { sockets: 1 },
      memoryBytes: 384 * MIB,
      controllers: [
        { bus: 'ide', model: 'ICH6', busNumber: 1 },
        { bus: 'sata', model: 'AHCI', busNumber: 0 },
        { bus: 'usb' },
      ],
      disks: [
        { fileName: 'vbox5.vmdk', virtualSizeBytes: 4 * MIB, controllerId: '3', unit: 0 },
        { fileName: 'vbox2.vmdk', virtualSizeBytes: 10 * GIB, controllerId: '4', unit: 1 },
      ],
      nics: [{ model: 'PCNet32', network: 'NAT', isConnected: true }],
    });
    expect(brief(machineOf(newer))).toEqual(brief(machineOf(older)));
  });

  it('all of them, good and bad, are read or refused with a problem', () => {
    const names = globSync('**/*.ovf', { cwd: folder });
    let accepted = 0;
    for (const name of names) {
      try {
        accepted += read(name).machines.length > 0 ? 1 : 0;
      } catch (error) {
        if (!isProblem(error)) throw new Error(`${name}: ${String(error)}`, { cause: error });
      }
    }
    expect(names.length).toBeGreaterThan(900);
    expect(accepted).toBeGreaterThan(400);
  });
});
