/** Writes tar archives byte by byte, independent of the reader, in the variants that writers in the field use and some that none should. */
export interface TarEntry {
  readonly name: string;
  readonly bytes?: Uint8Array;
  /** Instead of `bytes`: pieces that come to `sizeBytes`. */
  readonly sizeBytes?: number;
  readonly chunks?: Iterable<Uint8Array>;
  /** Type flag; `0` (regular file) unless given. */
  readonly type?: string;
  readonly linkName?: string;
  /** How the header says name and size: `pax` puts both into an extended header, `gnu` a long name before it and the size in base 256. */
  readonly format?: 'ustar' | 'v7' | 'pax' | 'gnu';
}

const BLOCK = 512;

export function buildTar(entries: readonly TarEntry[], options: { readonly endBlocks?: number } = {}): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const entry of entries) parts.push(...tarEntryParts(entry));
  parts.push(new Uint8Array(BLOCK * (options.endBlocks ?? 2)));
  return Buffer.concat(parts);
}

export function* tarEntryParts(entry: TarEntry): Generator<Uint8Array, void> {
  const sizeBytes = entry.bytes?.length ?? entry.sizeBytes ?? 0;
  const format = entry.format ?? 'ustar';
  if (format === 'pax') {
    const records = paxRecord('path', entry.name) + paxRecord('size', String(sizeBytes));
    yield* tarEntryParts({ name: 'PaxHeaders/x', type: 'x', bytes: Buffer.from(records) });
  }
  if (format === 'gnu') {
    yield* tarEntryParts({ name: '././@LongLink', type: 'L', bytes: Buffer.from(`${entry.name}\0`) });
  }
  yield tarHeader({
    name: format === 'pax' || format === 'gnu' ? 'shortened' : entry.name,
    sizeBytes,
    type: entry.type ?? '0',
    linkName: entry.linkName ?? '',
    magic: format === 'gnu' ? 'ustar  \0' : format === 'v7' ? '' : 'ustar\x0000',
    isBase256: format === 'gnu',
    // A pax size overrides the header's: a wrong one there shows that the record is used.
    ...(format === 'pax' ? { sizeBytes: 0 } : {}),
  });
  if (entry.bytes) yield entry.bytes;
  else if (entry.chunks) yield* entry.chunks;
  yield new Uint8Array((BLOCK - (sizeBytes % BLOCK)) % BLOCK);
}

export function tarHeader(fields: {
  readonly name: string;
  readonly sizeBytes: number;
  readonly type?: string;
  readonly linkName?: string;
  readonly magic?: string;
  readonly isBase256?: boolean;
}): Uint8Array {
  const block = Buffer.alloc(BLOCK);
  block.write(fields.name, 0, 100, 'utf8');
  block.write('0000644\0' + '0000000\0' + '0000000\0', 100, 'latin1');
  if (fields.isBase256) {
    block[124] = 0x80;
    block.writeBigUInt64BE(BigInt(fields.sizeBytes), 128);
  } else {
    block.write(`${fields.sizeBytes.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  }
  block.write('00000000000\0', 136, 'latin1');
  block.write(fields.type ?? '0', 156, 'latin1');
  block.write(fields.linkName ?? '', 157, 100, 'utf8');
  block.write(fields.magic ?? 'ustar\x0000', 257, 'latin1');
  return withTarChecksum(block);
}

/** Sets the checksum after a test changed a header. */
export function withTarChecksum(block: Buffer): Buffer {
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** `<length> <key>=<value>\n`, where the length counts itself. */
export function paxRecord(key: string, value: string): string {
  const body = ` ${key}=${value}\n`;
  const bytes = Buffer.byteLength(body);
  let length = bytes + String(bytes).length;
  if (String(length).length > String(bytes).length) length = bytes + String(length).length;
  return `${length}${body}`;
}
