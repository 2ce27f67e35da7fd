/** A 64-bit little-endian ELF file with nothing in it but what the dynamic loader looks at first. */
export function buildElf(options: {
  readonly machine: number;
  readonly needed?: readonly string[];
  readonly interpreter?: string;
}): Buffer {
  const { machine, needed = [], interpreter } = options;
  // Loaded at an address other than its offset in the file, as real ones are.
  const base = 0x400000;
  const headers = 64 + 3 * 56;
  const strings = Buffer.from(`\0${needed.map((name) => `${name}\0`).join('')}`);
  const starts = needed.map((_, index) => 1 + needed.slice(0, index).join('').length + index);
  const interpreterBytes = Buffer.from(`${interpreter ?? ''}\0`);
  const dynamicAt = headers + strings.length + interpreterBytes.length;
  const tags = [...starts.map((at) => [1, at]), [5, base + headers], [10, strings.length], [0, 0], [1, 0]];
  const dynamic = Buffer.alloc(tags.length * 16);
  tags.forEach(([tag = 0, value = 0], index) => {
    dynamic.writeBigUInt64LE(BigInt(tag), index * 16);
    dynamic.writeBigUInt64LE(BigInt(value), index * 16 + 8);
  });
  const head = Buffer.alloc(headers);
  head.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  head.writeUInt16LE(machine, 18);
  head.writeBigUInt64LE(64n, 32);
  head.writeUInt16LE(56, 54);
  head.writeUInt16LE(3, 56);
  const total = dynamicAt + dynamic.length;
  const segment = (index: number, type: number, offset: number, length: number) => {
    const at = 64 + index * 56;
    head.writeUInt32LE(type, at);
    head.writeBigUInt64LE(BigInt(offset), at + 8);
    head.writeBigUInt64LE(BigInt(base + offset), at + 16);
    head.writeBigUInt64LE(BigInt(length), at + 32);
  };
  segment(0, 1, 0, total);
  segment(1, 2, dynamicAt, dynamic.length);
  segment(2, interpreter === undefined ? 4 : 3, headers + strings.length, interpreterBytes.length);
  return Buffer.concat([head, strings, interpreterBytes, dynamic]);
}
