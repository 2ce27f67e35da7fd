import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { DiskReader } from '../../ports/disk-reader.ts';
import type { DiskFiles, ImageFile } from '../../ports/image-file.ts';
import { ByteReader } from '../byte-reader.ts';
import { type DescribedExtent, type Descriptor, parseDescriptor } from './descriptor.ts';
import { type Extent, rangedFile } from './extent.ts';
import { type FlatSegment, openFlatExtent } from './flat-extent.ts';
import { openForwardExtent } from './forward-extent.ts';
import { TableCache } from './grain-tables.ts';
import { corrupt, MAX_DESCRIPTOR_BYTES, parseSparseHeader, type SparseHeader, vmdkKind } from './layout.ts';
import { LeafClaims } from './leaf-claims.ts';
import { openSparseExtent } from './sparse-extent.ts';
import { disposeAll, VmdkReader } from './vmdk-reader.ts';

/**
 * Opens a VMDK: streamOptimized or monolithicSparse in one file, or a text descriptor with sparse, flat and zero extents beside it. Where a file can be read at any
 * place, its grain tables are read now, the allocation is exact and ranges name what is to be fetched. Where it can only be read in order, ranges carry their
 * bytes and all is checked as it passes. Disposing the reader disposes `files.main` and every extent; so does a failure to open.
 * @throws ProblemError `DiskHasParent`, `DiskEncrypted`, `DiskFormatUnsupported`, `DiskCompressionUnsupported`, `DiskTooLarge`, `DiskImageCorrupt`,
 * `DiskImageTruncated`, `DiskFileMissing`, `ArchiveMemberUnsafe`, `SourceRangesRequired`, and the problems of the source
 */
export async function openVmdk(files: DiskFiles, options: CallOptions = {}): Promise<DiskReader> {
  const opened: ImageFile[] = [files.main];
  try {
    const head = await files.main.readHead(options);
    const kind = vmdkKind(head);
    if (kind === 'sparse') return await openMonolithic(files.main, head, options);
    if (kind === 'descriptor') return await openDescribed(files, opened, head, options);
    throw refusal(kind, files.main.name);
  } catch (error) {
    await disposeAll(opened);
    throw error;
  }
}

function refusal(kind: ReturnType<typeof vmdkKind>, name: string): ProblemError {
  if (kind === 'cowd')
    return new ProblemError('DiskHasParent', `${name} is a snapshot file of ESXi (vmfsSparse, COWD)`);
  if (kind === 'seSparse') {
    return new ProblemError('DiskFormatUnsupported', `${name} is a space-efficient sparse disk of ESXi (seSparse)`);
  }
  return new ProblemError('DiskFormatUnknown', `${name} is no VMDK`);
}

async function openMonolithic(main: ImageFile, head: Uint8Array, options: CallOptions): Promise<DiskReader> {
  const header = parseSparseHeader(head, main.name);
  const descriptor = await readEmbeddedDescriptor(main, header, head, options);
  if (!descriptor && !header.isCompressed) {
    const detail = `${main.name} has no descriptor: it is one extent of a split disk, whose descriptor file names all of them`;
    throw new ProblemError('DiskFormatUnsupported', detail);
  }
  if (descriptor) requireSizesAgree(header, descriptor, main.name);
  const sizeBytes = header.capacityBytes;
  const claims = new LeafClaims(sizeBytes);
  const placement = { file: 0, diskOffset: 0, sizeBytes };
  const extent = await openSparse(main, { ...options, ...placement, header, claims, cache: new TableCache() });
  return new VmdkReader({
    format: `vmdk ${descriptor?.createType || (header.isCompressed ? 'streamOptimized' : 'monolithicSparse')}`,
    virtualSizeBytes: sizeBytes,
    cid: descriptor?.cid ?? '-',
    files: [main],
    extents: [extent],
    claims,
    hasDescriptorFile: false,
  });
}

/** The extent line inside the file is a copy of its header; a writer may round either up to a whole grain. */
function requireSizesAgree(header: SparseHeader, descriptor: Descriptor, name: string): void {
  const { extents, virtualSizeBytes } = descriptor;
  if (extents.length > 1) throw corrupt(name, `holds a disk but its descriptor names ${extents.length} extents`);
  if (extents.length === 1 && Math.abs(virtualSizeBytes - header.capacityBytes) >= header.grainBytes) {
    throw corrupt(name, `has ${header.capacityBytes} bytes by its header and ${virtualSizeBytes} by its descriptor`);
  }
}

async function readEmbeddedDescriptor(
  main: ImageFile,
  { descriptorOffset, descriptorBytes }: SparseHeader,
  head: Uint8Array,
  options: CallOptions,
): Promise<Descriptor | undefined> {
  if (descriptorOffset === 0 || descriptorBytes === 0) return undefined;
  const end = descriptorOffset + descriptorBytes;
  const bytes =
    end <= head.length
      ? head.subarray(descriptorOffset, end)
      : await readPart(main, descriptorOffset, descriptorBytes, options);
  return parseDescriptor(bytes, main.name);
}

async function readPart(file: ImageFile, offset: number, length: number, options: CallOptions): Promise<Uint8Array> {
  if (file.read) return await file.read(offset, length, options);
  const stream = file.stream({ ...options, from: offset, to: offset + length });
  await using reader = new ByteReader(stream, { name: file.name, position: offset });
  return await reader.readExactly(length);
}

async function openDescribed(
  files: DiskFiles,
  opened: ImageFile[],
  head: Uint8Array,
  options: CallOptions,
): Promise<DiskReader> {
  const { main } = files;
  const descriptor = parseDescriptor(await readDescriptorFile(main, head, options), main.name);
  if (descriptor.extents.length === 0) throw corrupt(main.name, 'names no extents');
  const claims = new LeafClaims(descriptor.virtualSizeBytes);
  const cache = new TableCache();
  const extents: Extent[] = [];
  let file = 0;
  for (const [fileName, parts] of byFile(descriptor.extents, main.name)) {
    file += 1;
    const image = await files.open(fileName, options);
    opened.push(image);
    if (parts.kind === 'flat') {
      extents.push(openFlatExtent(image, { file, segments: parts.segments, claims }));
      continue;
    }
    const header = await readExtentHeader(image, parts, options);
    extents.push(await openSparse(image, { ...options, ...parts, file, header, claims, cache }));
  }
  return new VmdkReader({
    format: `vmdk ${descriptor.createType || 'descriptor'}`,
    virtualSizeBytes: descriptor.virtualSizeBytes,
    cid: descriptor.cid,
    files: opened,
    extents,
    claims,
    hasDescriptorFile: true,
  });
}

/** @throws ProblemError `DiskImageCorrupt` when there is more than a descriptor can have */
async function readDescriptorFile(main: ImageFile, head: Uint8Array, options: CallOptions): Promise<Uint8Array> {
  await using reader = new ByteReader(main.stream(options), { name: main.name });
  const parts: Uint8Array[] = [];
  while (reader.position <= MAX_DESCRIPTOR_BYTES) {
    const part = await reader.readSome(MAX_DESCRIPTOR_BYTES);
    if (part.length === 0) return Buffer.concat(parts);
    parts.push(part);
  }
  throw corrupt(main.name, `begins like a text descriptor (${head.length} bytes seen) but has more than 1 MiB`);
}

type FileParts =
  | { readonly kind: 'flat'; readonly segments: FlatSegment[] }
  | { readonly kind: 'sparse'; readonly diskOffset: number; readonly sizeBytes: number };

/** Several flat extents may lie in one file; a sparse extent is a file of its own. */
function byFile(extents: readonly DescribedExtent[], name: string): Map<string, FileParts> {
  const parts = new Map<string, FileParts>();
  let diskOffset = 0;
  for (const extent of extents) {
    const { sizeBytes } = extent;
    if (extent.kind !== 'zero') {
      const known = parts.get(extent.fileName);
      const isShared = known?.kind === 'flat' && extent.kind === 'flat';
      if (extent.fileName === name || (known && !isShared)) {
        throw corrupt(name, `names ${extent.fileName} as an extent more than once or is its own extent`);
      }
      if (extent.kind === 'sparse') parts.set(extent.fileName, { kind: 'sparse', diskOffset, sizeBytes });
      else {
        const segment = { fileOffset: extent.fileOffset, diskOffset, sizeBytes };
        if (known?.kind === 'flat') known.segments.push(segment);
        else parts.set(extent.fileName, { kind: 'flat', segments: [segment] });
      }
    }
    diskOffset += sizeBytes;
  }
  return parts;
}

async function readExtentHeader(
  image: ImageFile,
  { diskOffset, sizeBytes }: { diskOffset: number; sizeBytes: number },
  options: CallOptions,
): Promise<SparseHeader> {
  const head = await image.readHead(options);
  const kind = vmdkKind(head);
  if (kind === 'cowd' || kind === 'seSparse') throw refusal(kind, image.name);
  const header = parseSparseHeader(head, image.name);
  // Grain markers count from the start of their file, so that only there they can be compared with the disk.
  if (header.isCompressed && diskOffset > 0) {
    throw new ProblemError('DiskFormatUnsupported', `${image.name} is a compressed extent of a split disk`);
  }
  if (header.capacityBytes < sizeBytes || header.capacityBytes - sizeBytes >= header.grainBytes) {
    throw corrupt(image.name, `has ${header.capacityBytes} bytes by its header and ${sizeBytes} by the descriptor`);
  }
  return header;
}

function openSparse(image: ImageFile, options: Parameters<typeof openSparseExtent>[1]): Promise<Extent> | Extent {
  const ranged = rangedFile(image);
  return ranged ? openSparseExtent(ranged, options) : openForwardExtent(image, options);
}
