export const PLAIN = 1n << 63n;
export const COMPRESSED = 1n << 62n;
export const ZERO = 1n;

export interface Qcow2Sample {
  readonly version?: 2 | 3;
  readonly clusterBits?: number;
  readonly virtualSizeBytes: number;
  /** Entries of the one L2 table, which lies in host cluster 2, by cluster of the disk; two words each in an image with subclusters. */
  readonly l2?: Readonly<Record<number, bigint | readonly [bigint, bigint]>>;
  /** Bytes by file offset; what is data begins at host cluster 3. */
  readonly data?: Readonly<Record<number, Uint8Array>>;
  readonly fileBytes?: number;
  readonly incompatible?: bigint;
  readonly compressionType?: number;
  /** Changes the file as a last step. */
  readonly damage?: (bytes: Buffer) => void;
}

/** A small qcow2 made by hand: header, L1 table in cluster 1, one L2 table in cluster 2, data behind. Refcounts are left out; reading needs none. */
export function buildQcow2(sample: Qcow2Sample): Buffer {
  const { version = 3, clusterBits = 9, l2 = {}, data = {} } = sample;
  const clusterBytes = 2 ** clusterBits;
  const ends = Object.entries(data).map(([offset, bytes]) => Number(offset) + bytes.length);
  const file = Buffer.alloc(sample.fileBytes ?? Math.max(3 * clusterBytes, ...ends));
  file.writeUInt32BE(0x514649fb, 0);
  file.writeUInt32BE(version, 4);
  file.writeUInt32BE(clusterBits, 20);
  file.writeBigUInt64BE(BigInt(sample.virtualSizeBytes), 24);
  file.writeUInt32BE(1, 36);
  file.writeBigUInt64BE(BigInt(clusterBytes), 40);
  if (version === 3) {
    file.writeBigUInt64BE(sample.incompatible ?? 0n, 72);
    file.writeUInt32BE(4, 96);
    file.writeUInt32BE(112, 100);
    file.writeUInt8(sample.compressionType ?? 0, 104);
  }
  file.writeBigUInt64BE(PLAIN | BigInt(2 * clusterBytes), clusterBytes);
  for (const [cluster, entry] of Object.entries(l2)) {
    const words = typeof entry === 'bigint' ? [entry] : entry;
    for (const [index, word] of words.entries()) {
      file.writeBigUInt64BE(word, 2 * clusterBytes + (Number(cluster) * words.length + index) * 8);
    }
  }
  for (const [offset, bytes] of Object.entries(data)) file.set(bytes, Number(offset));
  sample.damage?.(file);
  return file;
}
