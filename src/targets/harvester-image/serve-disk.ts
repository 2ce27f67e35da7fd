import { LEAF_BYTES, leafOf } from '../../domain/digest-layout.ts';
import { LeafReader } from '../../formats/leaves/leaf-reader.ts';
import { isForward } from '../../formats/leaves/leaves-in-order.ts';
import { surveyDisk } from '../../formats/leaves/survey-disk.ts';
import { VirtualQcow2 } from '../../formats/qcow2/virtual-qcow2.ts';
import type { DiskReader } from '../../ports/disk-reader.ts';
import { SequentialDisk } from './sequential-disk.ts';
import { etagOf, type ServeDiskOptions, type ServedFile } from './served-file.ts';

/**
 * Makes a file of a disk without writing it: a qcow2 with its tables computed beforehand where every file of the image can be read anywhere, else the raw disk from its start to its
 * end (ruling 20). The reader stays the caller's. `options.signal` ends everything that is ever fetched for it.
 * @throws ProblemError what walking the image's map finds
 */
export async function serveDisk(reader: DiskReader, options: ServeDiskOptions): Promise<ServedFile> {
  if (isForward(reader)) return new SequentialDisk(reader, options);
  const survey = await surveyDisk(reader, { signal: options.signal });
  let fetchedBytes = 0;
  const onFetched = (bytes: number) => {
    fetchedBytes += bytes;
  };
  const leaves = new LeafReader({ reader, survey, ...options, onFetched });
  const image = new VirtualQcow2(survey.allocated, async (offset, length) => {
    const leaf = leafOf(offset);
    const bytes = await leaves.read(leaf);
    return bytes.subarray(offset - leaf * LEAF_BYTES, offset - leaf * LEAF_BYTES + length);
  });
  // A failure shows when the leaf's turn has come.
  const onAhead = (offset: number) => void leaves.read(leafOf(offset)).catch(() => {});
  return {
    format: 'qcow2',
    sizeBytes: image.fileBytes,
    dataStart: image.layout.dataStart,
    etag: etagOf('qcow2', reader),
    hasRanges: true,
    get fetchedBytes() {
      return fetchedBytes;
    },
    read: (from, to, { signal } = {}) => image.read(from, to, { signal, onAhead }),
    async readLeaves(wants, { signal } = {}) {
      for (const leaf of survey.dataLeaves.filter(wants)) {
        signal?.throwIfAborted();
        await leaves.read(leaf);
      }
    },
  };
}
