import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildLargeDisk } from '../large-disk.ts';
import { qemuImg, temporaryFolder } from '../support.ts';

const MIB = 1024 * 1024;
/** About so much of the sample is data. */
export const DATA_BYTES = 16 * MIB;

/** One disk in every form that the sources need. */
export interface FaultSample {
  readonly content: Buffer;
  readonly sha256: string;
  /** The content as a file, for qemu-img to compare with. */
  readonly rawPath: string;
  readonly vmdk: Uint8Array;
  readonly qcow2: Uint8Array;
  /** Holds what is imported from; removed with the sample. */
  readonly folder: string;
  [Symbol.dispose](): void;
}

/** Its size is a multiple of a sector and of nothing larger; 16 MiB of it are data, strewn over eight leaves. */
export async function buildFaultSample(seed: number): Promise<FaultSample> {
  const folder = temporaryFolder();
  const { vmdk, content } = await buildLargeDisk({
    virtualSizeBytes: 28 * MIB + 1536,
    dataBytes: DATA_BYTES,
    seed,
  });
  const rawPath = join(folder.path, 'content.raw');
  writeFileSync(rawPath, content);
  const qcow2Path = join(folder.path, 'content.qcow2');
  qemuImg('convert', '-f', 'raw', '-O', 'qcow2', rawPath, qcow2Path);
  const sha256 = createHash('sha256').update(content).digest('hex');
  const dispose = () => folder[Symbol.dispose]();
  return {
    content,
    sha256,
    rawPath,
    vmdk,
    qcow2: readFileSync(qcow2Path),
    folder: folder.path,
    [Symbol.dispose]: dispose,
  };
}
