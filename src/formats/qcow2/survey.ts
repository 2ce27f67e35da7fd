import { leafCount, leafOf } from '../../domain/digest-layout.ts';
import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import { HostUsage } from './host-usage.ts';
import type { Qcow2Tables } from './tables.ts';

const BUCKETS = 65_536;

/** What one walk over all tables tells. */
export interface Survey {
  /** Bytes of the disk that some piece holds. */
  readonly dataBytes: number;
  readonly pieces: number;
  /** True when the pieces in the disk's order are in the file's order too. */
  readonly isRising: boolean;
  /** How many pieces lie in each leaf. */
  readonly piecesPerLeaf: Uint16Array;
  /** How many pieces begin in each of BUCKETS equal parts of the file; tells how to sort them in bounded memory. */
  readonly piecesPerBucket: Uint32Array;
  readonly bucketBytes: number;
}

/**
 * Counts and checks every cluster. Memory: two bytes per leaf, a bit per cluster that is used.
 * @throws ProblemError `DiskImageCorrupt`, `DiskImageTruncated`, `DiskFormatUnsupported` when the image is too large to be checked
 */
export async function surveyTables(
  tables: Qcow2Tables,
  fileBytes: number,
  name: string,
  options: CallOptions = {},
): Promise<Survey> {
  const { header } = tables;
  const usage = new HostUsage(header.clusterBytes);
  const piecesPerLeaf = new Uint16Array(leafCount(header.virtualSizeBytes));
  const piecesPerBucket = new Uint32Array(BUCKETS);
  const bucketBytes = Math.max(512, Math.ceil(fileBytes / BUCKETS));
  let dataBytes = 0;
  let pieces = 0;
  let isRising = true;
  let before = -1;

  const onHostClusters = (host: number, bytes: number, use: 'table' | 'plain' | 'compressed') => {
    if (usage.claim(host, bytes, use)) return;
    throw new ProblemError(
      'DiskImageCorrupt',
      `${name}: two entries point to the cluster at file offset ${host - (host % header.clusterBytes)}`,
      { context: { fileOffset: host } },
    );
  };
  for await (const batch of tables.batches({ ...options, onHostClusters })) {
    options.signal?.throwIfAborted();
    if (usage.isFull) {
      throw new ProblemError(
        'DiskFormatUnsupported',
        `${name}: too many clusters of ${header.clusterBytes} bytes to be checked; convert it to clusters of 64 KiB or more`,
      );
    }
    for (let index = 0; index < batch.count; index += 1) {
      const leaf = leafOf(batch.offset(index));
      const fileOffset = batch.fileOffset(index);
      const bucket = Math.floor(fileOffset / bucketBytes);
      piecesPerLeaf[leaf] = (piecesPerLeaf[leaf] ?? 0) + 1;
      piecesPerBucket[bucket] = (piecesPerBucket[bucket] ?? 0) + 1;
      dataBytes += batch.length(index);
      isRising &&= fileOffset > before;
      before = fileOffset;
    }
    pieces += batch.count;
  }
  return { dataBytes, pieces, isRising, piecesPerLeaf, piecesPerBucket, bucketBytes };
}
