import { MAX_VIRTUAL_SIZE_BYTES } from '../../domain/digest-layout.ts';
import { ProblemError } from '../../domain/problems.ts';
import { hrefNames } from './member-name.ts';
import { malformed, ovfAttribute, ovfChild, ovfChildren, ovfText, parseCount, quote, trimmed } from './ovf-elements.ts';
import type { OvfDisk, OvfFile, OvfNetwork } from './ovf-package.ts';
import { parseByteUnit } from './units.ts';
import type { XmlElement } from './xml-tree.ts';

/**
 * The References section.
 * @throws ProblemError `ArchiveMemberUnsafe` for hrefs that lead out of the folder, `OvfUnsupported` for servers and unknown compression, `OvfMalformed`
 */
export function parseFiles(root: XmlElement): OvfFile[] {
  const references = ovfChild(root, 'References');
  const files = references ? ovfChildren(references, 'File').map(parseFile) : [];
  const ids = new Set<string>();
  for (const file of files) {
    if (ids.has(file.id)) throw new ProblemError('OvfMalformed', `two files have the id ${quote(file.id)}`);
    ids.add(file.id);
  }
  return files;
}

/** Finds files by id and, since oVirt refers to them so, by href. */
export function indexFiles(files: readonly OvfFile[]): ReadonlyMap<string, OvfFile> {
  return new Map([
    ...files.map((file) => [file.href, file] as const),
    ...files.map((file) => [file.id, file] as const),
  ]);
}

function parseFile(element: XmlElement): OvfFile {
  const id = ovfAttribute(element, 'id');
  const href = trimmed(ovfAttribute(element, 'href'));
  if (!id) throw malformed(element, 'a file without ovf:id');
  if (href === undefined) throw malformed(element, `the file ${quote(id)} has no ovf:href`);
  hrefNames(href); // refuses unsafe ones

  const size = ovfAttribute(element, 'size');
  const compression = trimmed(ovfAttribute(element, 'compression'))?.toLowerCase() ?? 'identity';
  if (compression !== 'gzip' && compression !== 'identity') {
    throw new ProblemError(
      'OvfUnsupported',
      `the file ${quote(href)} is compressed by ${quote(compression)}; gzip is supported`,
    );
  }
  const chunk = ovfAttribute(element, 'chunkSize');
  const chunkBytes = chunk === undefined ? undefined : safeBytes(parseCount(chunk, element, 'ovf:chunkSize'), element);
  if (chunkBytes === 0) throw malformed(element, `the file ${quote(href)} has chunks of 0 bytes`);
  return {
    id,
    href,
    ...(isPositiveCount(size) ? { sizeBytes: safeBytes(parseCount(size, element, 'ovf:size'), element) } : {}),
    ...(compression === 'gzip' ? { compression } : {}),
    ...(chunkBytes === undefined ? {} : { chunkBytes }),
  };
}

/** Writers that do not know a size put 0 or -1. */
function isPositiveCount(size: string | undefined): size is string {
  return size !== undefined && !/^\s*(-\d+|0*)\s*$/.test(size);
}

/** The disks by id, not yet with their capacity: it may depend on a property that only another deployment option sets. */
export function findDiskElements(root: XmlElement): ReadonlyMap<string, XmlElement> {
  const disks = new Map<string, XmlElement>();
  const sections = [...ovfChildren(root, 'DiskSection'), ...ovfChildren(root, 'SharedDiskSection')];
  for (const element of sections.flatMap((section) => [
    ...ovfChildren(section, 'Disk'),
    ...ovfChildren(section, 'SharedDisk'),
  ])) {
    const id = ovfAttribute(element, 'diskId');
    if (!id) throw malformed(element, 'a disk without ovf:diskId');
    if (disks.has(id)) throw malformed(element, `two disks have the id ${quote(id)}`);
    disks.set(id, element);
  }
  return disks;
}

/** @throws ProblemError `OvfMalformed`, `DiskTooLarge` */
export function parseDisk(
  element: XmlElement,
  files: ReadonlyMap<string, OvfFile>,
  properties: ReadonlyMap<string, string>,
): OvfDisk {
  const diskId = ovfAttribute(element, 'diskId') ?? '';
  const fileRef = trimmed(ovfAttribute(element, 'fileRef'));
  const file = fileRef === undefined ? undefined : files.get(fileRef);
  if (fileRef !== undefined && !file)
    throw malformed(element, `the disk ${quote(diskId)} refers to the unknown file ${quote(fileRef)}`);
  const capacityBytes = capacityOf(element, diskId, properties);
  if (capacityBytes === 0 && !file) throw malformed(element, `the empty disk ${quote(diskId)} has a capacity of 0`);
  const populated = ovfAttribute(element, 'populatedSize');
  const format = trimmed(ovfAttribute(element, 'format'));
  const parentRef = trimmed(ovfAttribute(element, 'parentRef'));
  return {
    diskId,
    capacityBytes,
    ...(file ? { fileId: file.id } : {}),
    ...(isPositiveCount(populated)
      ? { populatedBytes: safeBytes(parseCount(populated, element, 'ovf:populatedSize'), element) }
      : {}),
    ...(format === undefined ? {} : { format }),
    ...(parentRef === undefined ? {} : { parentRef }),
  };
}

/** True when the capacity is a number, or a property that has a value. */
export function hasKnownCapacity(element: XmlElement, properties: ReadonlyMap<string, string>): boolean {
  const name = propertyReference(ovfAttribute(element, 'capacity') ?? '');
  return name === undefined || properties.get(name) !== undefined;
}

function capacityOf(element: XmlElement, diskId: string, properties: ReadonlyMap<string, string>): number {
  const written = ovfAttribute(element, 'capacity');
  const ovirtGigabytes = ovfAttribute(element, 'size');
  if (written === undefined && ovirtGigabytes !== undefined) {
    return diskBytes(parseCount(ovirtGigabytes, element, 'ovf:size') << 30n, diskId);
  }
  if (written === undefined) throw malformed(element, `the disk ${quote(diskId)} has no capacity`);
  const unitText = ovfAttribute(element, 'capacityAllocationUnits') ?? 'byte';
  const unit = parseByteUnit(unitText);
  if (unit === undefined)
    throw malformed(element, `the disk ${quote(diskId)} has its capacity in the unknown unit ${quote(unitText)}`);

  const name = propertyReference(written);
  const value = name === undefined ? written : properties.get(name);
  if (value === undefined) {
    throw malformed(
      element,
      `the disk ${quote(diskId)} takes its capacity from the property ${quote(name ?? '')}, which has no value`,
    );
  }
  return diskBytes(parseCount(value, element, `the capacity of disk ${quote(diskId)}`) * unit, diskId);
}

function propertyReference(text: string): string | undefined {
  return /^\s*\$\{([^}]*)\}\s*$/.exec(text)?.[1]?.trim();
}

/** @throws ProblemError `DiskTooLarge` */
export function diskBytes(bytes: bigint, disk: string): number {
  if (bytes > BigInt(MAX_VIRTUAL_SIZE_BYTES)) {
    throw new ProblemError(
      'DiskTooLarge',
      `the disk ${quote(disk)} claims ${bytes} bytes; at most ${MAX_VIRTUAL_SIZE_BYTES} are supported`,
    );
  }
  return Number(bytes);
}

function safeBytes(bytes: bigint, element: XmlElement): number {
  if (bytes > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed(element, `${bytes} bytes are more than any file has`);
  return Number(bytes);
}

export function parseNetworks(root: XmlElement): OvfNetwork[] {
  return ovfChildren(root, 'NetworkSection')
    .flatMap((section) => ovfChildren(section, 'Network'))
    .map((element) => {
      const description = ovfText(element, 'Description');
      return {
        name: ovfAttribute(element, 'name') ?? '',
        ...(description === undefined ? {} : { description }),
      };
    });
}
