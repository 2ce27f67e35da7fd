import { leafCount } from '../domain/digest-layout.ts';
import type { DiskReader } from '../ports/disk-reader.ts';

/** A disk without content, for machines whose description names a disk without a file. */
export function emptyDisk(virtualSizeBytes: number): DiskReader {
  const contentId = `empty:${virtualSizeBytes}`;
  return {
    format: 'empty',
    virtualSizeBytes,
    contentId,
    readContentId: async () => contentId,
    files: [],
    oneShot: false,
    allocation: { kind: 'exact', bytes: 0 },
    async *ranges() {
      const closesLeaves = [{ first: 0, count: leafCount(virtualSizeBytes) }];
      yield { file: 0, fileOffset: 0, fileBytes: 0, pieces: [], bytes: new Uint8Array(0), closesLeaves };
    },
    [Symbol.asyncDispose]: async () => {},
  };
}
