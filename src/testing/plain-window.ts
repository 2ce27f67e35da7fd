import type { FetchWindow } from '../transfer/fetch-ranges.ts';
import { OrderedFile } from './ordered-file.ts';

/** A window of one request: each file as one ordered stream. */
export const plainWindow: FetchWindow = async function* (ranges, { files, digests, signal, onFetched }) {
  const ordered = files.map((file, index) => new OrderedFile(file, { signal, digest: digests[index], onFetched }));
  try {
    for await (const range of ranges) {
      const bytes = await ordered[range.file]?.read(range.fileOffset, range.fileBytes);
      yield { ranges: [range], ...(bytes && { bytes }), fileOffset: range.fileOffset, release() {} };
    }
    for (const file of ordered) await file.finishDigest();
  } finally {
    for (const file of ordered) await file[Symbol.asyncDispose]();
  }
};
