import { createHash } from 'node:crypto';
import { buildBootSector } from './boot-sector.ts';

export const SAMPLE_NAME = 'sample-appliance';
export const SAMPLE_VIRTUAL_BYTES = 2 ** 30;
const GRAIN_BYTES = 64 * 1024;
/** Every so many grains one is data; the disk is mostly holes, as real ones are. */
const GRAIN_STEP = 25;

export interface SampleDisk {
  readonly virtualSizeBytes: number;
  /** By rising offset; what is left out is a hole. */
  readonly grains: Iterable<{ readonly offset: number; readonly bytes: Uint8Array }>;
}

/** Encodes a disk as a streamOptimized VMDK. */
export type EncodeDisk = (disk: SampleDisk) => AsyncIterable<Uint8Array>;

/**
 * An OVA to try things with: one machine whose disk boots and prints a line, with data and holes over 1 GiB. The same bytes every time. Yields the archive's bytes in
 * order; the encoded disk (about 25 MiB) is held in memory, since an archive names sizes first.
 */
export async function* buildSampleAppliance(encodeDisk: EncodeDisk): AsyncGenerator<Uint8Array, void> {
  const pieces: Uint8Array[] = [];
  for await (const piece of encodeDisk({ virtualSizeBytes: SAMPLE_VIRTUAL_BYTES, grains: sampleGrains() }))
    pieces.push(piece);
  const disk = Buffer.concat(pieces);
  const diskName = `${SAMPLE_NAME}-disk1.vmdk`;
  const ovf = Buffer.from(renderOvf(diskName, disk.length));
  const manifest = Buffer.from(`${digestLine(`${SAMPLE_NAME}.ovf`, ovf)}${digestLine(diskName, disk)}`);
  yield* tarMember(`${SAMPLE_NAME}.ovf`, ovf);
  yield* tarMember(`${SAMPLE_NAME}.mf`, manifest);
  yield* tarMember(diskName, disk);
  yield Buffer.alloc(2 * 512);
}

/** The disk's data: the boot sector, then grains that half compress, spread over the disk. */
export function* sampleGrains(): Generator<{ readonly offset: number; readonly bytes: Uint8Array }, void> {
  for (let grain = 0; grain * GRAIN_BYTES < SAMPLE_VIRTUAL_BYTES; grain += GRAIN_STEP) {
    const bytes = Buffer.alloc(GRAIN_BYTES, `grain ${grain} of the sample appliance. `);
    let state = grain + 1;
    for (let at = 0; at < GRAIN_BYTES / 2; at += 4) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      bytes.writeUInt32LE(state, at);
    }
    if (grain === 0) bytes.set(buildBootSector(SAMPLE_VIRTUAL_BYTES));
    yield { offset: grain * GRAIN_BYTES, bytes };
  }
}

function digestLine(name: string, bytes: Uint8Array): string {
  return `SHA256(${name})= ${createHash('sha256').update(bytes).digest('hex')}\n`;
}

/** A ustar member (POSIX.1-1988): header, content, padding to 512 bytes. */
function* tarMember(name: string, bytes: Uint8Array): Generator<Uint8Array, void> {
  const header = Buffer.alloc(512);
  const octal = (value: number, length: number) => `${value.toString(8).padStart(length - 1, '0')}\0`;
  header.write(name, 0);
  header.write(octal(0o644, 8), 100);
  header.write(octal(0, 8), 108);
  header.write(octal(0, 8), 116);
  header.write(octal(bytes.length, 12), 124);
  header.write(octal(0, 12), 136);
  header.write('        ', 148);
  header.write('0', 156);
  header.write('ustar\0' + '00', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  yield header;
  yield bytes;
  yield Buffer.alloc((512 - (bytes.length % 512)) % 512);
}

function renderOvf(diskName: string, fileBytes: number): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
  xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
  xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData">
  <References><File ovf:id="file1" ovf:href="${diskName}" ovf:size="${fileBytes}"/></References>
  <DiskSection>
    <Info>Disks</Info>
    <Disk ovf:diskId="disk1" ovf:fileRef="file1" ovf:capacity="${SAMPLE_VIRTUAL_BYTES}" ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>
  </DiskSection>
  <NetworkSection><Info>Networks</Info><Network ovf:name="VM Network"/></NetworkSection>
  <VirtualSystem ovf:id="${SAMPLE_NAME}">
    <Info>A machine to try Airlift with</Info>
    <Name>${SAMPLE_NAME}</Name>
    <OperatingSystemSection ovf:id="100"><Info>Guest</Info><Description>Linux (64-bit)</Description></OperatingSystemSection>
    <AnnotationSection><Info>Notes</Info><Annotation>Boots, prints a line on its first serial port, and halts.</Annotation></AnnotationSection>
    <VirtualHardwareSection>
      <Info>Hardware</Info>
      <Item><rasd:AllocationUnits>hertz * 10^6</rasd:AllocationUnits><rasd:ElementName>1 virtual CPU</rasd:ElementName><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>1</rasd:VirtualQuantity></Item>
      <Item><rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits><rasd:ElementName>256 MB of memory</rasd:ElementName><rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>256</rasd:VirtualQuantity></Item>
      <Item><rasd:Address>0</rasd:Address><rasd:ElementName>SATA controller 0</rasd:ElementName><rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceSubType>AHCI</rasd:ResourceSubType><rasd:ResourceType>20</rasd:ResourceType></Item>
      <Item><rasd:AddressOnParent>0</rasd:AddressOnParent><rasd:ElementName>Hard disk 1</rasd:ElementName><rasd:HostResource>ovf:/disk/disk1</rasd:HostResource><rasd:InstanceID>4</rasd:InstanceID><rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>
      <Item><rasd:AutomaticAllocation>true</rasd:AutomaticAllocation><rasd:Connection>VM Network</rasd:Connection><rasd:ElementName>Ethernet 1</rasd:ElementName><rasd:InstanceID>5</rasd:InstanceID><rasd:ResourceSubType>E1000</rasd:ResourceSubType><rasd:ResourceType>10</rasd:ResourceType></Item>
    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>
`;
}
