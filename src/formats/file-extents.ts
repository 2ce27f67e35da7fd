import { setImmediate } from 'node:timers/promises';
import type { CallOptions } from '../lib/call-options.ts';
import { type Libc, libc } from '../lib/libc.ts';
import type { FileExtent } from '../ports/image-file.ts';

/** Extents looked up before others get their turn: each is two calls that do not wait for the storage, but a file may have millions. */
const EXTENTS_PER_TURN = 1024;

/**
 * The parts of an open file that hold data, as the file system tells them. One of all the file where it tells nothing. Looked up as they are asked for.
 * @param options.seek tests give their own
 */
export async function* fileExtents(
  descriptor: number,
  sizeBytes: number,
  options: CallOptions & { readonly seek?: Pick<Libc, 'seekData' | 'seekHole'> } = {},
): AsyncGenerator<FileExtent, void> {
  const { signal, seek = libc } = options;
  let extents = 0;
  for (let at = 0; at < sizeBytes; ) {
    signal?.throwIfAborted();
    const offset = seek.seekData(descriptor, at);
    if (offset === undefined || offset >= sizeBytes) return;
    const hole = seek.seekHole(descriptor, offset);
    // A file that was cut meanwhile has no data where it just had some; whoever reads the rest will find out.
    const end = hole > offset ? Math.min(hole, sizeBytes) : sizeBytes;
    yield { offset, length: end - offset };
    at = end;
    extents += 1;
    if (extents % EXTENTS_PER_TURN === 0) await setImmediate();
  }
}
