import { describe, expect, it } from 'vitest';
import { buildOvf } from '../../testing/ova-descriptor.ts';
import { envelope, esxi, item, ovirt, system, virtualBox1, virtualBox2 } from '../../testing/ovf-samples.ts';
import { parseOvf } from './ovf.ts';

const GIB = 2 ** 30;
const parse = (xml: string, deployment?: string) => parseOvf(xml, { name: 'x.ovf', deployment });
const machineOf = (xml: string, deployment?: string) => {
  const [first] = parse(xml, deployment).machines;
  if (!first) throw new Error('no machine');
  return first.machine;
};
const problem = (code: string, part = '') => expect.objectContaining({ code, message: expect.stringContaining(part) });

describe('a descriptor of ESXi', () => {
  const ovf = parse(esxi);
  const machine = machineOf(esxi);

  it('gives names, processors, memory and firmware', () => {
    expect(ovf.version).toBe('1.x');
    expect(machine).toMatchObject({
      id: 'srv',
      name: 'srv 01',
      annotation: 'Payroll, ask Kim',
      cpu: { sockets: 2, coresPerSocket: 2, threadsPerCore: 1 },
      memoryBytes: 8 * GIB,
      firmware: 'efi',
      isSecureBoot: true,
      hasTpm: true,
      guestOs: {
        family: 'windows',
        id: 'windows2019srv_64Guest',
        description: 'Microsoft Windows Server 2019 (64-bit)',
      },
      biosUuid: '42343691-387c-c457-d170-0c64ffb48501',
    });
  });

  it('gives controllers, and disks by bus with the boot order of its own section', () => {
    expect(machine.controllers).toEqual([
      { id: '3', bus: 'nvme', model: 'vmware.nvme.controller', busNumber: 0 },
      { id: '4', bus: 'sata', model: 'vmware.sata.ahci', busNumber: 0 },
    ]);
    const declaredFormat = 'http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized';
    expect(machine.disks).toEqual([
      {
        id: '6',
        name: 'Hard Disk 2',
        virtualSizeBytes: 10 * GIB,
        controllerId: '4',
        unit: 1,
        fileName: 'srv-2.vmdk',
        fileSizeBytes: 2_097_152,
        declaredFormat,
        bootOrder: 1,
      },
      {
        id: '5',
        name: 'Hard Disk 1',
        virtualSizeBytes: 40 * GIB,
        controllerId: '3',
        unit: 0,
        fileName: 'srv-1.vmdk',
        fileSizeBytes: 1_048_576,
        populatedBytes: 5000,
        declaredFormat,
        bootOrder: 2,
      },
    ]);
    expect(ovf.machines[0]?.disks.get('5')).toMatchObject({
      diskId: 'vmdisk1',
      fileId: 'file1',
      capacityBytes: 40 * GIB,
    });
  });

  it('gives network cards, other devices and settings', () => {
    expect(machine.nics).toEqual([
      { id: '8', model: 'VmxNet3', macAddress: '00:50:56:ab:cd:ef', network: 'VM Network', isConnected: true },
      { id: '9', model: 'E1000e', network: 'VM Network', isConnected: false },
    ]);
    expect(machine.otherDevices).toEqual([{ kind: 'CD drive', name: 'CD/DVD drive 1' }]);
    expect(machine.settings).toContainEqual({ kind: 'vmw:ExtraConfig', name: 'nvram', value: 'ovf:/file/file3' });
    expect(machine.settings).toContainEqual({
      kind: 'vmw:Config',
      name: 'Hard Disk 1: backing.writeThrough',
      value: 'false',
    });
    expect(machine.settings).toContainEqual({ kind: 'System', name: 'VirtualSystemType', value: 'vmx-19' });
    expect(ovf.networks).toEqual([{ name: 'VM Network', description: 'The VM Network' }]);
    expect(ovf.ignoredSections).toEqual(['StorageSection']);
  });
});

describe('a descriptor of VirtualBox', () => {
  it.each([
    ['1.x', virtualBox1],
    ['2.x', virtualBox2],
  ])('in OVF %s gives the same machine', (version, xml) => {
    expect(parse(xml)).toMatchObject({ version, ignoredSections: ['Machine'] });
    expect(machineOf(xml)).toMatchObject({
      id: 'box',
      name: 'box',
      cpu: { sockets: 2, coresPerSocket: 1 },
      memoryBytes: 2 * GIB,
      firmware: 'efi',
      isSecureBoot: false,
      hasTpm: true,
      guestOs: { family: 'linux', id: 'Ubuntu_64' },
      biosUuid: '8c3f1a2b-0d4e-4f5a-9b6c-7d8e9f0a1b2c',
      controllers: [
        { id: '3', bus: 'ide', model: 'PIIX4', busNumber: 0 },
        { id: '4', bus: 'ide', model: 'PIIX4', busNumber: 1 },
        { id: '5', bus: 'sata', model: 'AHCI', busNumber: 0 },
      ],
      disks: [
        {
          id: '6',
          name: 'disk1',
          virtualSizeBytes: 10 * GIB,
          controllerId: '5',
          unit: 0,
          fileName: 'box-disk001.vmdk',
        },
      ],
      nics: [{ id: '7', model: 'E1000', network: 'NAT', isConnected: true }],
      otherDevices: [{ kind: 'sound card', name: 'sound' }],
    });
  });
});

it('a descriptor of oVirt gives its machine', () => {
  expect(machineOf(ovirt)).toMatchObject({
    id: 'out',
    name: 'node',
    cpu: { sockets: 2, coresPerSocket: 1, threadsPerCore: 2 },
    memoryBytes: GIB,
    firmware: 'efi',
    isSecureBoot: true,
    guestOs: { family: 'linux', description: 'rhel_8x64' },
    disks: [{ virtualSizeBytes: 10 * GIB, fileName: 'group/image', bootOrder: 1 }],
    nics: [{ network: 'ovirtmgmt', macAddress: '56:6f:aa:00:00:01', isConnected: true }],
  });
});

it('a document that lost its default namespace is recognised by its attributes', () => {
  const xml = esxi.replace(/ xmlns="[^"]*"/, '');
  expect(machineOf(xml)).toEqual(machineOf(esxi));
});

describe('several machines', () => {
  const order = (id: string, number: number) => `<Item ovf:id="${id}" ovf:order="${number}"/>`;
  const nested = envelope(`<VirtualSystemCollection ovf:id="all"><Info/>
    <StartupSection><Info/>${order('web', 2)}${order('inner', 1)}</StartupSection>
    ${system('', { id: 'web' })}
    <VirtualSystemCollection ovf:id="inner"><Info/>${system('', { id: 'db' })}</VirtualSystemCollection>
  </VirtualSystemCollection>`);

  it('come in document order through nested collections, with the startup order', () => {
    const ovf = parse(nested);
    expect(ovf.machines.map(({ machine }) => machine.id)).toEqual(['web', 'db']);
    expect(ovf.startupOrder).toEqual(['inner', 'web']);
  });

  it('may not share an id', () => {
    expect(() => parse(nested.replaceAll('"db"', '"web"'))).toThrow(problem('OvfMalformed', 'two machines'));
  });

  it('share a disk file, as linked clones do', () => {
    const disk = { fileName: 'base.vmdk', capacityBytes: GIB };
    const ovf = parse(
      buildOvf({
        machines: [
          { id: 'a', disks: [disk] },
          { id: 'b', disks: [disk] },
        ],
        fileSizes: { 'base.vmdk': 77 },
      }),
    );
    expect(ovf.files).toEqual([{ id: 'base.vmdk', href: 'base.vmdk', sizeBytes: 77 }]);
    expect(ovf.machines.map(({ machine }) => machine.disks[0]?.fileName)).toEqual(['base.vmdk', 'base.vmdk']);
  });
});

describe('deployment options', () => {
  const configuration = (id: string, extra = '') =>
    `<Configuration ovf:id="${id}" ${extra}><Label>The ${id} one</Label><Description>${id}.</Description></Configuration>`;
  const cpus = (count: number, attributes = '') =>
    item({ InstanceID: 3, ResourceType: 3, VirtualQuantity: count }, attributes);
  const build = (options: string) =>
    envelope(`<DiskSection><Info/><Disk ovf:diskId="data" ovf:capacity="\${data.size.a}" ovf:capacityAllocationUnits="byte * 2^30"/></DiskSection>
      <DeploymentOptionSection><Info/>${options}</DeploymentOptionSection>
      <VirtualSystem ovf:id="vm"><Info/>
        <ProductSection ovf:class="data" ovf:instance="a"><Info/><Property ovf:key="size" ovf:value="5"><Value ovf:configuration="big huge" ovf:value="50"/></Property>
          <Property ovf:key="only" ovf:configuration="big" ovf:value="x"/></ProductSection>
        <VirtualHardwareSection><Info/>${cpus(1)}${cpus(8, 'ovf:configuration="big huge"')}
          ${item({ AllocationUnits: 'MB', InstanceID: 2, ResourceType: 4, VirtualQuantity: 1024 })}
          ${item({ AllocationUnits: 'MB', InstanceID: 2, ResourceType: 4, VirtualQuantity: 256 }, 'ovf:bound="min"')}
          ${item({ AllocationUnits: 'MB', InstanceID: 2, ResourceType: 4, VirtualQuantity: 4096 }, 'ovf:bound="max"')}
          ${item({ InstanceID: 9, ResourceType: 17, HostResource: 'ovf:/disk/data' }, 'ovf:configuration="small big huge"')}
        </VirtualHardwareSection></VirtualSystem>`);
  const xml = build(configuration('small') + configuration('big', 'ovf:default="true"') + configuration('huge'));

  it('are listed with label and default', () => {
    expect(parse(xml).deployments).toEqual([
      { id: 'small', label: 'The small one', description: 'small.', isDefault: false },
      { id: 'big', label: 'The big one', description: 'big.', isDefault: true },
      { id: 'huge', label: 'The huge one', description: 'huge.', isDefault: false },
    ]);
  });

  it.each([
    [undefined, 'big', 8, 50],
    ['small', 'small', 1, 5],
    ['huge', 'huge', 8, 50],
  ])('%s reads the machine for %s', (wanted, chosen, sockets, gib) => {
    expect(parse(xml, wanted).deployment).toBe(chosen);
    expect(machineOf(xml, wanted)).toMatchObject({
      cpu: { sockets },
      memoryBytes: GIB,
      disks: [{ virtualSizeBytes: gib * GIB }],
    });
    const only = machineOf(xml, wanted).settings.filter((setting) => setting.name === 'data.only.a');
    expect(only).toHaveLength(chosen === 'big' ? 1 : 0);
  });

  it('take the first where none is marked', () => {
    expect(parse(xml.replace('ovf:default="true"', '')).deployment).toBe('small');
  });

  it('that do not exist are refused with those that do', () => {
    expect(() => parse(xml, 'tiny')).toThrow(problem('DeploymentUnknown', '"small", "big", "huge"'));
    expect(() => parse(esxi, 'tiny')).toThrow(problem('DeploymentUnknown', 'no deployment options'));
  });

  it('need only the disks that the chosen one uses', () => {
    const unused = `<Disk ovf:diskId="other" ovf:capacity="\${nothing}"/></DiskSection>`;
    const ovf = parse(xml.replace('</DiskSection>', unused));
    expect(ovf.disks.map((disk) => disk.diskId)).toEqual(['data']);
  });

  it('cannot give a size that no property has', () => {
    expect(() => parse(xml.replaceAll('ovf:value="5', 'ovf:value="five'))).toThrow(problem('OvfMalformed', '"five0"'));
    expect(() => parse(xml.replace('data.size.a', 'nothing'))).toThrow(problem('OvfMalformed', '"nothing"'));
  });
});

describe('files', () => {
  const withFile = (attributes: string) =>
    parse(envelope(`<References><File ovf:id="f" ${attributes}/></References>${system()}`)).files[0];

  it.each([
    ['ovf:href="a.vmdk" ovf:size="5"', { id: 'f', href: 'a.vmdk', sizeBytes: 5 }],
    ['href="a.vmdk" size="5"', { id: 'f', href: 'a.vmdk', sizeBytes: 5 }],
    ['ovf:href="a.vmdk" ovf:size="0"', { id: 'f', href: 'a.vmdk' }],
    ['ovf:href="a.vmdk" ovf:size="-1"', { id: 'f', href: 'a.vmdk' }],
    ['ovf:href="a.vmdk.gz" ovf:compression="gzip"', { id: 'f', href: 'a.vmdk.gz', compression: 'gzip' }],
    ['ovf:href="a.vmdk" ovf:compression="identity"', { id: 'f', href: 'a.vmdk' }],
    ['ovf:href="a.vmdk" ovf:chunkSize="2147483648"', { id: 'f', href: 'a.vmdk', chunkBytes: 2 ** 31 }],
    ['ovf:href="a.vmdk" evil="x"', { id: 'f', href: 'a.vmdk' }],
  ])('with %s', (attributes, expected) => {
    expect(withFile(attributes)).toEqual(expected);
  });

  it.each([
    ['ovf:href="../a.vmdk"', 'ArchiveMemberUnsafe'],
    ['ovf:href="/etc/passwd"', 'ArchiveMemberUnsafe'],
    ['ovf:href="file:///etc/passwd"', 'ArchiveMemberUnsafe'],
    ['ovf:href="http://host/a.vmdk"', 'OvfUnsupported'],
    ['ovf:href="a.vmdk" ovf:compression="bzip2"', 'OvfUnsupported'],
    ['ovf:href=""', 'OvfMalformed'],
    ['ovf:href="a.vmdk" ovf:chunkSize="0"', 'OvfMalformed'],
    ['ovf:href="a.vmdk" ovf:size="9223372036854775807"', 'OvfMalformed'],
  ])('with %s are refused as %s', (attributes, code) => {
    expect(() => withFile(attributes)).toThrow(problem(code));
  });
});

describe('disks', () => {
  const withDisk = (disk: string, fields: Readonly<Record<string, string | number>>) =>
    machineOf(
      envelope(`<References><File ovf:id="f" ovf:href="a.vmdk"/></References>
        <DiskSection><Info/><Disk ovf:diskId="d" ovf:capacity="4" ovf:capacityAllocationUnits="GB" ovf:fileRef="f" ${disk}/></DiskSection>
        ${system(item({ InstanceID: 7, ResourceType: 17, ...fields }))}`),
    ).disks[0];

  it.each(['ovf:/disk/d', 'ovf://disk/d', '/disk/d', 'disk/d', 'd', 'ovf:/file/f', '/file/f', 'a.vmdk'])(
    'are found by the host resource %s',
    (HostResource) => {
      expect(withDisk('', { HostResource })).toMatchObject({ id: '7', fileName: 'a.vmdk', virtualSizeBytes: 4 * GIB });
    },
  );

  it('without a file are kept as empty ones', () => {
    const xml = buildOvf({ machines: [{ id: 'vm', disks: [{ capacityBytes: 3 * GIB }] }] });
    const [disk] = machineOf(xml).disks;
    expect(disk).toMatchObject({ virtualSizeBytes: 3 * GIB });
    expect(disk).not.toHaveProperty('fileName');
  });

  it('keep parent and format of the descriptor', () => {
    const xml = envelope(`<References><File ovf:id="f" ovf:href="a.vmdk"/></References>
      <DiskSection><Info/><Disk ovf:diskId="d" ovf:capacity="4" ovf:fileRef="f" ovf:parentRef="p"/></DiskSection>
      ${system(item({ InstanceID: 7, ResourceType: 17, HostResource: 'ovf:/disk/d' }))}`);
    expect(parse(xml).machines[0]?.disks.get('7')).toMatchObject({ parentRef: 'p', capacityBytes: 4 });
  });

  it('come by bus, bus number and unit, and else in document order', () => {
    const xml = buildOvf({
      machines: [
        {
          id: 'vm',
          disks: (['nvme', 'scsi', 'sata', 'scsi', 'ide'] as const).map((controller) => ({
            controller,
            capacityBytes: 512,
          })),
        },
      ],
    });
    expect(machineOf(xml).disks.map((disk) => disk.name)).toEqual(['disk 5', 'disk 3', 'disk 2', 'disk 4', 'disk 1']);
  });

  it('take the boot order of the .vmx settings', () => {
    const hardware = `${item({ InstanceID: 3, Address: 0, ResourceType: 6 })}
      ${[0, 1].map((unit) => item({ InstanceID: 10 + unit, Parent: 3, AddressOnParent: unit, ResourceType: 17, VirtualQuantity: 1, AllocationUnits: 'GB' })).join('')}
      <vmw:ExtraConfig vmw:key="bios.hddOrder" vmw:value="scsi0:1,scsi0:0"/>`;
    expect(machineOf(envelope(system(hardware))).disks.map((disk) => [disk.id, disk.bootOrder])).toEqual([
      ['10', 2],
      ['11', 1],
    ]);
  });

  it('with the same instance id stay apart', () => {
    const same = item({ InstanceID: 7, ResourceType: 17, VirtualQuantity: 1, AllocationUnits: 'GB' });
    const ids = machineOf(envelope(system(same.repeat(3)))).disks.map((disk) => disk.id);
    expect(new Set(ids).size).toBe(3);
  });

  it.each([
    ['an unknown disk', '', { HostResource: 'ovf:/disk/x' }, 'OvfMalformed', '"ovf:/disk/x"'],
    ['an unknown file', '', { HostResource: 'ovf:/file/x' }, 'OvfMalformed', '"x"'],
    ['neither resource nor size', '', {}, 'OvfMalformed', 'neither'],
    ['a size in an unknown unit', '', { VirtualQuantity: 1, AllocationUnits: 'furlong' }, 'OvfMalformed', 'furlong'],
    [
      '2^63 bytes',
      '',
      { VirtualQuantity: '9223372036854775808', AllocationUnits: 'byte' },
      'DiskTooLarge',
      '9223372036854775808',
    ],
  ])('with %s are refused', (_what, disk, fields, code, part) => {
    expect(() => withDisk(disk, fields)).toThrow(problem(code, part));
  });

  it.each([
    ['ovf:capacity="9223372036854775808"', 'DiskTooLarge', '9223372036854775808'],
    ['ovf:capacity="65" ovf:capacityAllocationUnits="byte * 2^40"', 'DiskTooLarge', ''],
    ['ovf:capacity="-1"', 'OvfMalformed', '"-1"'],
    ['ovf:capacity="1.5"', 'OvfMalformed', '"1.5"'],
    ['ovf:capacity="0"', 'OvfMalformed', 'capacity of 0'],
    ['ovf:capacity="1" ovf:capacityAllocationUnits="elephants"', 'OvfMalformed', 'elephants'],
    ['ovf:capacity="1" ovf:fileRef="nobody"', 'OvfMalformed', 'nobody'],
    ['', 'OvfMalformed', 'no capacity'],
  ])('declared with %s are refused as %s', (attributes, code, part) => {
    const xml = envelope(`<DiskSection><Info/><Disk ovf:diskId="d" ${attributes}/></DiskSection>
      ${system(item({ InstanceID: 7, ResourceType: 17, HostResource: 'd' }))}`);
    expect(() => parse(xml)).toThrow(problem(code, part));
  });
});

describe('W6: a descriptor that leaves out what upstream takes for granted', () => {
  const adapter = { InstanceID: 4, ResourceType: 10, ResourceSubType: 'E1000' };

  it('describes a card without a network as one that is connected to none', () => {
    expect(machineOf(envelope(system(item(adapter)))).nics).toMatchObject([{ model: 'E1000' }]);
    expect(machineOf(envelope(system(item(adapter)))).nics[0]).not.toHaveProperty('network');
  });

  it.each([
    ['processors', 3],
    ['memory', 4],
  ])('passes over an item that gives no amount of %s', (_what, ResourceType) => {
    const machine = machineOf(envelope(system(item({ InstanceID: 3, ResourceType }))));
    expect(machine.cpu.sockets).toBeGreaterThan(0);
    expect(machine.memoryBytes).toBeGreaterThan(0);
  });

  it('is refused with a word when a disk names neither a file nor a size', () => {
    const xml = envelope(system(item({ InstanceID: 7, ResourceType: 17 })));
    expect(() => parse(xml)).toThrow(problem('OvfMalformed', 'neither'));
  });
});

describe('sections', () => {
  const foreign = (required: string) =>
    envelope(`<q:StrangeSection xmlns:q="urn:q" ${required}><Info/></q:StrangeSection>${system()}`);

  it('that are unknown and optional are passed over by name', () => {
    expect(parse(foreign('ovf:required="false"')).ignoredSections).toEqual(['StrangeSection']);
  });

  it.each(['ovf:required="true"', ''])('that are unknown and required are refused (%j)', (required) => {
    expect(() => parse(foreign(required))).toThrow(problem('OvfUnsupported', '"StrangeSection" of "urn:q"'));
  });

  it('inside a machine count the same', () => {
    const inside = envelope(system('', { sections: '<OddSection><Info/></OddSection>' }));
    expect(() => parse(inside)).toThrow(problem('OvfUnsupported', 'OddSection'));
  });

  it('with licence, product and properties become settings, passwords left out', () => {
    const sections = `<ProductSection ovf:class="app"><Info/><Product>Shop</Product><Vendor>ACME</Vendor>
        <Property ovf:key="host" ovf:value="shop.local"/><Property ovf:key="root" ovf:password="true" ovf:value="s3cret"/></ProductSection>
      <EulaSection><Info/><License>Be nice.</License></EulaSection><EulaSection><Info/><License>${'x'.repeat(100_000)}</License></EulaSection>`;
    const { settings } = machineOf(envelope(system('', { sections })));
    expect(settings.slice(0, 5)).toEqual([
      { kind: 'Product', name: 'Product', value: 'Shop' },
      { kind: 'Product', name: 'Vendor', value: 'ACME' },
      { kind: 'Property', name: 'app.host', value: 'shop.local' },
      { kind: 'Property', name: 'app.root', value: '(password, not kept)' },
      { kind: 'Eula', name: 'License', value: 'Be nice.' },
    ]);
    expect(settings[5]?.value).toMatch(/^x{65536}\.\.\. \(100000 characters\)$/);
  });
});

describe('machines', () => {
  const named = (before: string, id = 'id') => machineOf(envelope(system('', { id, before }))).name;

  it('are called by name, else by id', () => {
    expect(named('<Name>My machine</Name>')).toBe('My machine');
    expect(named('')).toBe('id');
  });

  it.each([
    ['no cores', '', { sockets: 4, coresPerSocket: 1 }],
    ['cores that divide', '<vmw:CoresPerSocket>4</vmw:CoresPerSocket>', { sockets: 1, coresPerSocket: 4 }],
    ['cores that do not divide', '<vmw:CoresPerSocket>3</vmw:CoresPerSocket>', { sockets: 4, coresPerSocket: 1 }],
    ['cores left to the host', '<vmw:CoresPerSocket>0</vmw:CoresPerSocket>', { sockets: 4, coresPerSocket: 1 }],
  ])('with %s have the right topology', (_what, cores, topology) => {
    const xml = envelope(
      system().replace(/<Item >.*?<\/Item>/, item({ InstanceID: 1, ResourceType: 3, VirtualQuantity: 4 }, '', cores)),
    );
    expect(machineOf(xml).cpu).toEqual({ threadsPerCore: 1, ...topology });
  });

  it.each([
    ['two alternatives for a controller', 'someother, lsilogic', 'lsilogic'],
    ['two with a space', 'buslogic lsilogic', 'buslogic'],
    ['one', 'lsilogicsas', 'lsilogicsas'],
  ])('with %s take the first known', (_what, subType, model) => {
    const xml = envelope(system(item({ InstanceID: 3, ResourceType: 6, ResourceSubType: subType })));
    expect(machineOf(xml).controllers[0]?.model).toBe(model);
  });

  it.each([
    ['vmw:osType="centos7_64Guest"', 'linux'],
    ['vmw:osType="winNetStandardGuest"', 'windows'],
    ['vmw:osType="darwin14_64Guest"', 'other'],
    ['vmw:osType="freebsd12_64Guest"', 'other'],
    ['ovf:id="94"', 'linux'],
    ['ovf:id="103"', 'windows'],
    ['ovf:id="42"', 'other'],
  ])('with the guest %s are of the family %s', (attributes, family) => {
    const xml = envelope(
      system('', { sections: `<OperatingSystemSection ${attributes}><Info/></OperatingSystemSection>` }),
    );
    expect(machineOf(xml).guestOs?.family).toBe(family);
  });

  it('have Secure Boot only with EFI, also by the .vmx words', () => {
    const config = (firmware: string) =>
      envelope(
        system(
          `<vmw:ExtraConfig vmw:key="firmware" vmw:value="${firmware}"/><vmw:ExtraConfig vmw:key="uefi.secureBoot.enabled" vmw:value="TRUE"/>`,
        ),
      );
    expect(machineOf(config('efi'))).toMatchObject({ firmware: 'efi', isSecureBoot: true });
    expect(machineOf(config('bios'))).toMatchObject({ firmware: 'bios', isSecureBoot: false });
  });

  it.each([
    ['no hardware', '<VirtualSystem ovf:id="vm"><Info/></VirtualSystem>', 'no hardware'],
    ['no memory', system().replace(/<Item >(?=<rasd:Alloc).*?<\/Item>/, ''), 'memory'],
    ['memory in an unknown unit', system().replace('byte * 2^20', 'parsec'), '"parsec"'],
    ['endless memory', system().replace('512', '18446744073709551615'), 'bytes of memory'],
    [
      'processors beyond counting',
      system().replace('<rasd:VirtualQuantity>1<', '<rasd:VirtualQuantity>99999<'),
      '99999',
    ],
    ['a device without type', system('<Item><rasd:InstanceID>9</rasd:InstanceID></Item>'), 'resource type'],
  ])('with %s are refused', (_what, xml, part) => {
    expect(() => parse(envelope(xml))).toThrow(problem('OvfMalformed', part));
  });

  it.each([
    ['no machine', envelope('')],
    ['another document', '<html/>'],
    ['another namespace', envelope(system(), 'http://nosuchspec.com/ovf/envelope/1')],
    [
      'two files of one id',
      envelope(`<References><File ovf:id="a" ovf:href="a"/><File ovf:id="a" ovf:href="b"/></References>${system()}`),
    ],
    [
      'two disks of one id',
      envelope(
        `<DiskSection><Disk ovf:diskId="a" ovf:capacity="1"/><Disk ovf:diskId="a" ovf:capacity="1"/></DiskSection>${system()}`,
      ),
    ],
  ])('cannot be found in %s', (_what, xml) => {
    expect(() => parse(xml)).toThrow(problem('OvfMalformed', 'x.ovf'));
  });
});

it('a message stays short whatever the document says', () => {
  expect(() => parse(`<${'a'.repeat(100_000)}/>`)).toThrow(/^.{0,500}$/s);
  const name = 'x'.repeat(100_000);
  expect(() => parse(envelope(system(item({ ResourceType: 17, ElementName: name, HostResource: name }))))).toThrow(
    /^.{0,500}$/s,
  );
});

it('a descriptor full of repeated and dangling things is read in linear time', () => {
  const count = 10_000;
  const repeat = (make: (index: number) => string) => Array.from({ length: count }, (_, index) => make(index)).join('');
  const xml = envelope(`<References>${repeat((index) => `<File ovf:id="f${index}" ovf:href="f${index}"/>`)}</References>
    <DiskSection>${repeat((index) => `<Disk ovf:diskId="d${index}" ovf:fileRef="f${index}" ovf:capacity="\${p${index}}"/>`)}</DiskSection>
    ${system(
      repeat(
        (index) =>
          `<Item><rasd:InstanceID>7</rasd:InstanceID><rasd:ResourceType>17</rasd:ResourceType><rasd:HostResource>d${index}</rasd:HostResource></Item>`,
      ),
      {
        sections: `<ProductSection>${repeat((index) => `<Property ovf:key="p${index}" ovf:value="512"/>`)}</ProductSection>`,
      },
    )}`);
  const started = performance.now();
  expect(machineOf(xml).disks).toHaveLength(count);
  expect(performance.now() - started).toBeLessThan(20_000);
});
