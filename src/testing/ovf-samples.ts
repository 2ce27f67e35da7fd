/** Handwritten descriptors in the dialects of the field. */
const NAMESPACES = [
  'xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"',
  'xmlns:sasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_StorageAllocationSettingData.xsd"',
  'xmlns:epasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_EthernetPortAllocationSettingData.xsd"',
  'xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData"',
  'xmlns:vmw="http://www.vmware.com/schema/ovf"',
  'xmlns:vbox="http://www.virtualbox.org/ovf/machine"',
  'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"',
].join(' ');

export const envelope = (body: string, uri = 'http://schemas.dmtf.org/ovf/envelope/1') =>
  `<?xml version="1.0"?>\n<Envelope xmlns="${uri}" xmlns:ovf="${uri}" ${NAMESPACES}>${body}</Envelope>`;

export const item = (fields: Readonly<Record<string, string | number>>, attributes = '', extra = '') =>
  `<Item ${attributes}>${Object.entries(fields)
    .map(([name, value]) => `<rasd:${name}>${value}</rasd:${name}>`)
    .join('')}${extra}</Item>`;

export const cpu = (count = 1) => item({ InstanceID: 1, ResourceType: 3, VirtualQuantity: count });
export const memory = (quantity = 512, units = 'byte * 2^20') =>
  item({ AllocationUnits: units, InstanceID: 2, ResourceType: 4, VirtualQuantity: quantity });

/** A machine of one processor and 512 MiB. */
export const system = (hardware = '', options: { id?: string; sections?: string; before?: string } = {}) =>
  `<VirtualSystem ovf:id="${options.id ?? 'vm'}"><Info/>${options.before ?? ''}<VirtualHardwareSection><Info/>${cpu()}${memory()}${hardware}</VirtualHardwareSection>${options.sections ?? ''}</VirtualSystem>`;

/** As ESXi 7 exports a machine with EFI, Secure Boot, a TPM, and disks on NVMe and SATA. */
export const esxi = envelope(`
  <References>
    <File ovf:id="file1" ovf:href="srv-1.vmdk" ovf:size="1048576"/>
    <File ovf:id="file2" ovf:href="srv-2.vmdk" ovf:size="2097152"/>
    <File ovf:id="file3" ovf:href="srv.nvram" ovf:size="270840"/>
  </References>
  <DiskSection><Info/>
    <Disk ovf:capacity="40" ovf:capacityAllocationUnits="byte * 2^30" ovf:diskId="vmdisk1" ovf:fileRef="file1" ovf:populatedSize="5000" ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>
    <Disk ovf:capacity="10240" ovf:capacityAllocationUnits="MegaBytes" ovf:diskId="vmdisk2" ovf:fileRef="file2" ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>
  </DiskSection>
  <NetworkSection><Info/><Network ovf:name="VM Network"><Description>The VM Network</Description></Network></NetworkSection>
  <VirtualSystem ovf:id="srv"><Info/><Name>srv 01</Name>
    <OperatingSystemSection ovf:id="112" ovf:version="9" vmw:osType="windows2019srv_64Guest"><Info/><Description>Microsoft Windows Server 2019 (64-bit)</Description></OperatingSystemSection>
    <VirtualHardwareSection><Info/>
      <System><vssd:ElementName>Virtual Hardware Family</vssd:ElementName><vssd:InstanceID>0</vssd:InstanceID><vssd:VirtualSystemIdentifier>other</vssd:VirtualSystemIdentifier><vssd:VirtualSystemType>vmx-19</vssd:VirtualSystemType></System>
      ${item({ AllocationUnits: 'hertz * 10^6', InstanceID: 1, ResourceType: 3, VirtualQuantity: 4 }, '', '<vmw:CoresPerSocket ovf:required="false">2</vmw:CoresPerSocket>')}
      ${item({ AllocationUnits: 'byte * 2^20', InstanceID: 2, ResourceType: 4, VirtualQuantity: 8192 })}
      ${item({ Address: 0, ElementName: 'NVME Controller', InstanceID: 3, ResourceSubType: 'vmware.nvme.controller', ResourceType: 20 })}
      ${item({ Address: 0, ElementName: 'SATA Controller 0', InstanceID: 4, ResourceSubType: 'vmware.sata.ahci', ResourceType: 20 })}
      ${item({ AddressOnParent: 0, ElementName: 'Hard Disk 1', HostResource: 'ovf:/disk/vmdisk1', InstanceID: 5, Parent: 3, ResourceType: 17 }, '', '<vmw:Config ovf:required="false" vmw:key="backing.writeThrough" vmw:value="false"/>')}
      ${item({ AddressOnParent: 1, ElementName: 'Hard Disk 2', HostResource: 'ovf:/disk/vmdisk2', InstanceID: 6, Parent: 4, ResourceType: 17 })}
      ${item({ AddressOnParent: 0, AutomaticAllocation: 'false', ElementName: 'CD/DVD drive 1', InstanceID: 7, Parent: 4, ResourceSubType: 'vmware.cdrom.remotepassthrough', ResourceType: 15 }, 'ovf:required="false"')}
      ${item({ Address: '00:50:56:AB:CD:EF', AddressOnParent: 7, AutomaticAllocation: 'true', Connection: 'VM Network', ElementName: 'Ethernet 1', InstanceID: 8, ResourceSubType: 'VmxNet3', ResourceType: 10 })}
      ${item({ AddressOnParent: 8, AutomaticAllocation: 'false', Connection: 'VM Network', ElementName: 'Ethernet 2', InstanceID: 9, ResourceSubType: 'E1000e', ResourceType: 10 })}
      ${item({ AutomaticAllocation: 'false', ElementName: 'Virtual TPM', InstanceID: 10, ResourceSubType: 'vmware.vtpm', ResourceType: 1 }, 'ovf:required="false"')}
      <vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="efi"/>
      <vmw:Config ovf:required="false" vmw:key="bootOptions.efiSecureBootEnabled" vmw:value="true"/>
      <vmw:ExtraConfig ovf:required="false" vmw:key="nvram" vmw:value="ovf:/file/file3"/>
      <vmw:ExtraConfig ovf:required="false" vmw:key="uuid.bios" vmw:value="42 34 36 91 38 7c c4 57-d1 70 0c 64 ff b4 85 01"/>
    </VirtualHardwareSection>
    <vmw:BootOrderSection vmw:instanceId="6 5" vmw:type="disk"><Info/></vmw:BootOrderSection>
    <AnnotationSection ovf:required="false"><Info/><Annotation> Payroll, ask Kim </Annotation></AnnotationSection>
    <vmw:StorageSection ovf:required="false" vmw:id="1"><Info/></vmw:StorageSection>
  </VirtualSystem>`);

const vboxMachine = `<vbox:Machine ovf:required="false" version="1.19-linux" uuid="{8c3f1a2b-0d4e-4f5a-9b6c-7d8e9f0a1b2c}" name="box" OSType="Ubuntu_64"><ovf:Info>settings</ovf:Info>
  <Hardware><CPU count="2"/><Firmware type="EFI"/><TrustedPlatformModule type="v2_0"/></Hardware></vbox:Machine>`;

const vboxReferences = `<References><File ovf:id="file1" ovf:href="box-disk001.vmdk"/></References>
  <DiskSection><Info/><Disk ovf:capacity="10737418240" ovf:diskId="vmdisk1" ovf:fileRef="file1" ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized" vbox:uuid="2f1d"/></DiskSection>
  <NetworkSection><Info/><Network ovf:name="NAT"><Description>Logical network used by this appliance.</Description></Network></NetworkSection>`;

const vboxSystem =
  '<System><vssd:ElementName>Virtual Hardware Family</vssd:ElementName><vssd:InstanceID>0</vssd:InstanceID><vssd:VirtualSystemIdentifier>box</vssd:VirtualSystemIdentifier><vssd:VirtualSystemType>virtualbox-2.2</vssd:VirtualSystemType></System>';

const vboxItems = `${item({ Caption: '2 virtual CPU', InstanceID: 1, ResourceType: 3, VirtualQuantity: 2 })}
  ${item({ AllocationUnits: 'MegaBytes', Caption: '2048 MB of memory', InstanceID: 2, ResourceType: 4, VirtualQuantity: 2048 })}
  ${item({ Address: 0, Caption: 'ideController0', InstanceID: 3, ResourceSubType: 'PIIX4', ResourceType: 5 })}
  ${item({ Address: 1, Caption: 'ideController1', InstanceID: 4, ResourceSubType: 'PIIX4', ResourceType: 5 })}
  ${item({ Address: 0, Caption: 'sataController0', InstanceID: 5, ResourceSubType: 'AHCI', ResourceType: 20 })}`;

const vboxOs =
  '<OperatingSystemSection ovf:id="94"><Info/><Description>Ubuntu_64</Description><vbox:OSType ovf:required="false">Ubuntu_64</vbox:OSType></OperatingSystemSection>';

/** As VirtualBox writes "OVF 1.0". */
export const virtualBox1 = envelope(`${vboxReferences}<VirtualSystem ovf:id="box"><Info/>${vboxOs}
  <VirtualHardwareSection><Info/>${vboxSystem}${vboxItems}
    ${item({ AddressOnParent: 0, Caption: 'disk1', HostResource: '/disk/vmdisk1', InstanceID: 6, Parent: 5, ResourceType: 17 })}
    ${item({ AutomaticAllocation: 'true', Caption: "Ethernet adapter on 'NAT'", Connection: 'NAT', InstanceID: 7, ResourceSubType: 'E1000', ResourceType: 10 })}
    ${item({ AddressOnParent: 3, AutomaticAllocation: 'false', Caption: 'sound', InstanceID: 8, ResourceSubType: 'ensoniq1371', ResourceType: 35 })}
  </VirtualHardwareSection>${vboxMachine}</VirtualSystem>`);

/** The same machine as "OVF 2.0": disks and cards have item kinds of their own. */
export const virtualBox2 = envelope(
  `${vboxReferences}<VirtualSystem ovf:id="box"><Info/>${vboxOs}
  <VirtualHardwareSection><Info/>${vboxSystem}${vboxItems}
    <StorageItem><sasd:AddressOnParent>0</sasd:AddressOnParent><sasd:Caption>disk1</sasd:Caption><sasd:HostResource>/disk/vmdisk1</sasd:HostResource><sasd:InstanceID>6</sasd:InstanceID><sasd:Parent>5</sasd:Parent><sasd:ResourceType>17</sasd:ResourceType></StorageItem>
    <EthernetPortItem><epasd:AutomaticAllocation>true</epasd:AutomaticAllocation><epasd:Caption>Ethernet adapter on 'NAT'</epasd:Caption><epasd:Connection>NAT</epasd:Connection><epasd:InstanceID>7</epasd:InstanceID><epasd:ResourceSubType>E1000</epasd:ResourceSubType><epasd:ResourceType>10</epasd:ResourceType></EthernetPortItem>
    ${item({ AddressOnParent: 3, AutomaticAllocation: 'false', Caption: 'sound', InstanceID: 8, ResourceSubType: 'ensoniq1371', ResourceType: 35 })}
  </VirtualHardwareSection>${vboxMachine}</VirtualSystem>`,
  'http://schemas.dmtf.org/ovf/envelope/2',
);

/** As oVirt writes it: no default namespace, sections by type, sizes in GiB, hrefs as references. */
export const ovirt = `<?xml version="1.0"?><ovf:Envelope xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1/" ${NAMESPACES} ovf:version="4.4.0.0">
  <References><File ovf:href="group/image" ovf:id="image" ovf:size="2147483648"/></References>
  <Section xsi:type="ovf:NetworkSection_Type"><Info>networks</Info><Network ovf:name="ovirtmgmt"/></Section>
  <Section xsi:type="ovf:DiskSection_Type"><Info>disks</Info><Disk ovf:diskId="image" ovf:size="10" ovf:actual_size="2" ovf:fileRef="group/image" ovf:format="http://www.vmware.com/specifications/vmdk.html#sparse"/></Section>
  <Content ovf:id="out" xsi:type="ovf:VirtualSystem_Type"><Name>node</Name><Description/><CreationDate>2024</CreationDate><BiosType>4</BiosType>
    <Section ovf:id="x" ovf:required="false" xsi:type="ovf:OperatingSystemSection_Type"><Info/><Description>rhel_8x64</Description></Section>
    <Section xsi:type="ovf:VirtualHardwareSection_Type"><Info/>
      ${item({ Caption: '4 virtual cpu', InstanceId: 1, ResourceType: 3, num_of_sockets: 2, cpu_per_socket: 1, threads_per_cpu: 2, VirtualQuantity: 4 })}
      ${item({ Caption: 'memory', InstanceId: 2, ResourceType: 4, AllocationUnits: 'MegaBytes', VirtualQuantity: 1024 })}
      ${item({ Caption: 'node_Disk1', InstanceId: 'image', ResourceType: 17, HostResource: 'group/image' }, '', '<BootOrder>1</BootOrder>')}
      ${item({ Caption: 'net', InstanceId: 'n1', ResourceType: 10, ResourceSubType: 3, Connection: 'ovirtmgmt', MACAddress: '56:6f:aa:00:00:01' })}
    </Section></Content></ovf:Envelope>`;
