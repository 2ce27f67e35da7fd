/** Writes OVF descriptors in the form that ovftool gives them. */
export interface OvfSpec {
  readonly machines: readonly OvfMachineSpec[];
  /** Stored sizes by file name; a file without one has no `ovf:size`. */
  readonly fileSizes?: Readonly<Record<string, number>>;
  /** XML that follows the sections of the envelope. */
  readonly extraSections?: string;
}

export interface OvfMachineSpec {
  readonly id: string;
  readonly name?: string;
  readonly cpus?: number;
  readonly coresPerSocket?: number;
  readonly memoryMiB?: number;
  readonly firmware?: 'bios' | 'efi';
  readonly isSecureBoot?: boolean;
  readonly annotation?: string;
  readonly osType?: string;
  readonly disks?: readonly OvfDiskSpec[];
  readonly nics?: readonly OvfNicSpec[];
}

export interface OvfDiskSpec {
  /** Absent: the disk is created empty. Two disks may share a file. */
  readonly fileName?: string;
  readonly capacityBytes: number;
  readonly populatedBytes?: number;
  readonly controller?: 'ide' | 'scsi' | 'sata' | 'nvme';
  readonly format?: string;
  readonly compression?: 'gzip';
  readonly chunkBytes?: number;
}

export interface OvfNicSpec {
  readonly network: string;
  readonly model?: string;
  readonly macAddress?: string;
}

const CONTROLLERS = {
  ide: { resourceType: 5, subType: '' },
  scsi: { resourceType: 6, subType: 'VirtualSCSI' },
  sata: { resourceType: 20, subType: 'vmware.sata.ahci' },
  nvme: { resourceType: 20, subType: 'vmware.nvme.controller' },
} as const;

const NAMESPACES = [
  'xmlns="http://schemas.dmtf.org/ovf/envelope/1"',
  'xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"',
  'xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"',
  'xmlns:vmw="http://www.vmware.com/schema/ovf"',
  'xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData"',
].join(' ');

export function buildOvf(spec: OvfSpec): string {
  const disks = spec.machines.flatMap((machine) =>
    (machine.disks ?? []).map((disk, index) => ({ ...disk, diskId: diskIdOf(machine, index) })),
  );
  const files = [...new Map(disks.filter((disk) => disk.fileName).map((disk) => [disk.fileName, disk])).values()];
  const networks = [...new Set(spec.machines.flatMap((machine) => (machine.nics ?? []).map((nic) => nic.network)))];
  const systems = spec.machines.map(virtualSystem);
  return lines(
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<Envelope ${NAMESPACES}>`,
    '<References>',
    ...files.map((file) => fileElement(file, spec.fileSizes?.[file.fileName ?? ''])),
    '</References>',
    '<DiskSection><Info>Disks</Info>',
    ...disks.map(diskElement),
    '</DiskSection>',
    '<NetworkSection><Info>Networks</Info>',
    ...networks.map(
      (name) => `<Network ovf:name="${escapeXml(name)}"><Description>${escapeXml(name)}</Description></Network>`,
    ),
    '</NetworkSection>',
    spec.extraSections ?? '',
    ...(systems.length === 1
      ? systems
      : [
          '<VirtualSystemCollection ovf:id="collection"><Info>Machines</Info>',
          ...systems,
          '</VirtualSystemCollection>',
        ]),
    '</Envelope>',
  );
}

function fileElement(file: OvfDiskSpec, sizeBytes: number | undefined): string {
  const name = escapeXml(file.fileName ?? '');
  return `<File ovf:id="${name}" ovf:href="${name}"${attribute('size', sizeBytes)}${attribute('compression', file.compression)}${attribute('chunkSize', file.chunkBytes)}/>`;
}

function diskElement(disk: OvfDiskSpec & { readonly diskId: string }): string {
  const format = disk.format ?? 'http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized';
  return `<Disk ovf:diskId="${escapeXml(disk.diskId)}"${attribute('fileRef', disk.fileName)} ovf:capacity="${disk.capacityBytes}" ovf:capacityAllocationUnits="byte"${attribute('populatedSize', disk.populatedBytes)} ovf:format="${escapeXml(format)}"/>`;
}

function virtualSystem(machine: OvfMachineSpec): string {
  const kinds = [...new Set((machine.disks ?? []).map((disk) => disk.controller ?? 'scsi'))];
  const controllerId = (kind: keyof typeof CONTROLLERS) => 10 + kinds.indexOf(kind);
  const used = new Map<string, number>();
  const nextUnit = (kind: string) => {
    const unit = used.get(kind) ?? 0;
    used.set(kind, unit + 1);
    return unit;
  };
  return lines(
    `<VirtualSystem ovf:id="${escapeXml(machine.id)}"><Info>A machine</Info>`,
    machine.name === undefined ? '' : `<Name>${escapeXml(machine.name)}</Name>`,
    `<OperatingSystemSection ovf:id="100" vmw:osType="${escapeXml(machine.osType ?? 'other3xLinux64Guest')}"><Info>Guest</Info></OperatingSystemSection>`,
    '<VirtualHardwareSection><Info>Hardware</Info>',
    '<System><vssd:ElementName>Virtual Hardware Family</vssd:ElementName><vssd:InstanceID>0</vssd:InstanceID><vssd:VirtualSystemType>vmx-19</vssd:VirtualSystemType></System>',
    item(
      {
        AllocationUnits: 'hertz * 10^6',
        ElementName: 'cpu',
        InstanceID: 1,
        ResourceType: 3,
        VirtualQuantity: machine.cpus ?? 1,
      },
      machine.coresPerSocket === undefined
        ? ''
        : `<vmw:CoresPerSocket ovf:required="false">${machine.coresPerSocket}</vmw:CoresPerSocket>`,
    ),
    item({
      AllocationUnits: 'byte * 2^20',
      ElementName: 'memory',
      InstanceID: 2,
      ResourceType: 4,
      VirtualQuantity: machine.memoryMiB ?? 512,
    }),
    ...kinds.map((kind) =>
      item({
        Address: 0,
        ElementName: `${kind} controller`,
        InstanceID: controllerId(kind),
        ResourceSubType: CONTROLLERS[kind].subType,
        ResourceType: CONTROLLERS[kind].resourceType,
      }),
    ),
    ...(machine.disks ?? []).map((disk, index) => {
      const kind = disk.controller ?? 'scsi';
      return item({
        AddressOnParent: nextUnit(kind),
        ElementName: `disk ${index + 1}`,
        HostResource: `ovf:/disk/${diskIdOf(machine, index)}`,
        InstanceID: 100 + index,
        Parent: controllerId(kind),
        ResourceType: 17,
      });
    }),
    ...(machine.nics ?? []).map((nic, index) =>
      item({
        Address: nic.macAddress ?? '',
        AddressOnParent: 7 + index,
        AutomaticAllocation: 'true',
        Connection: nic.network,
        ElementName: `nic ${index + 1}`,
        InstanceID: 200 + index,
        ResourceSubType: nic.model ?? 'VmxNet3',
        ResourceType: 10,
      }),
    ),
    config('firmware', machine.firmware),
    config('bootOptions.efiSecureBootEnabled', machine.isSecureBoot),
    '</VirtualHardwareSection>',
    machine.annotation === undefined
      ? ''
      : `<AnnotationSection><Info>Notes</Info><Annotation>${escapeXml(machine.annotation)}</Annotation></AnnotationSection>`,
    '</VirtualSystem>',
  );
}

function diskIdOf(machine: OvfMachineSpec, index: number): string {
  return `${machine.id}-disk${index + 1}`;
}

function item(fields: Readonly<Record<string, string | number>>, extra = ''): string {
  const elements = Object.entries(fields).filter(([, value]) => value !== '');
  return `<Item>${elements.map(([name, value]) => `<rasd:${name}>${escapeXml(String(value))}</rasd:${name}>`).join('')}${extra}</Item>`;
}

function config(key: string, value: string | boolean | undefined): string {
  return value === undefined ? '' : `<vmw:Config ovf:required="false" vmw:key="${key}" vmw:value="${value}"/>`;
}

function attribute(name: string, value: string | number | undefined): string {
  return value === undefined ? '' : ` ovf:${name}="${escapeXml(String(value))}"`;
}

function lines(...parts: readonly string[]): string {
  return `${parts.filter((part) => part !== '').join('\n')}\n`;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
