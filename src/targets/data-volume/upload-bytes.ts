import type { LeafOptions } from '../../formats/leaves/leaf-options.ts';
import { leavesInOrder, refuseOneShot } from '../../formats/leaves/leaves-in-order.ts';
import type { DiskReader } from '../../ports/disk-reader.ts';
import type { UploadTicket } from '../../ports/upload.ts';
import { sendDisk } from './send-disk.ts';

export interface UploadBytesOptions extends LeafOptions {
  readonly ticket: UploadTicket;
  /** Told how much of the disk was taken over by the connection. */
  readonly onProgress: (doneBytes: number) => void;
}

const SECTOR_BYTES = 512;

/**
 * Uploads a disk raw: of every other format CDI would first make a copy in scratch space. Filled up with zeroes to whole sectors, as QEMU counts disks. Returns the bytes sent.
 * @throws ProblemError as `sendDisk` and `leavesInOrder`
 */
export async function uploadBytes(
  reader: DiskReader,
  { ticket, onProgress, ...options }: UploadBytesOptions,
): Promise<number> {
  refuseOneShot(reader);
  const sizeBytes = Math.ceil(reader.virtualSizeBytes / SECTOR_BYTES) * SECTOR_BYTES;
  let sent = 0;
  async function* body(): AsyncGenerator<Uint8Array, void> {
    for await (const leaf of leavesInOrder(reader, options)) {
      yield leaf;
      sent += leaf.length;
      onProgress(sent);
    }
    if (sent < sizeBytes) yield new Uint8Array(sizeBytes - sent);
  }
  await sendDisk(body(), { ticket, sizeBytes, signal: options.signal });
  return sizeBytes;
}
