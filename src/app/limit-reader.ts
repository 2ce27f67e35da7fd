import { leafCount } from '../domain/digest-layout.ts';
import type { DiskReader, EncodedRange } from '../ports/disk-reader.ts';

/** The first `virtualSizeBytes` of a larger disk: an import's disk may lie in a file or on a device that has more room. The reader underneath stays the caller's. */
export function limitReader(reader: DiskReader, virtualSizeBytes: number): DiskReader {
  if (reader.virtualSizeBytes <= virtualSizeBytes) return reader;
  const { format, contentId, files, oneShot } = reader;
  return {
    format,
    contentId,
    files,
    oneShot,
    virtualSizeBytes,
    allocation: { kind: 'unknown' },
    readContentId: (options) => reader.readContentId(options),
    async *ranges(options) {
      for await (const range of reader.ranges(options)) yield limitRange(range, virtualSizeBytes);
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

/** A piece that reaches past the end stays whole: whoever decodes it drops what is too much. */
function limitRange(range: EncodedRange, end: number): EncodedRange {
  const { pieces, closesLeaves } = range;
  const leaves = leafCount(end);
  return {
    ...range,
    pieces: pieces.filter(({ offset }) => offset < end),
    ...(closesLeaves && {
      closesLeaves: closesLeaves
        .filter(({ first }) => first < leaves)
        .map(({ first, count }) => ({ first, count: Math.min(count, leaves - first) })),
    }),
  };
}
