import { LEAF_BYTES, leafCount } from '../../domain/digest-layout.ts';
import { ProblemError } from '../../domain/problems.ts';
import type { DiskReader } from '../../ports/disk-reader.ts';
import { forwardLeaves } from './forward-leaves.ts';
import type { LeafOptions } from './leaf-options.ts';
import { LeafReader } from './leaf-reader.ts';
import { surveyDisk } from './survey-disk.ts';

/** Leaves fetched before their turn. */
const AHEAD = 4;

/** Whether the image is read from its start to its end, because its source can do no better. */
export function isForward({ files }: DiskReader): boolean {
  return files.some((file) => file.read === undefined);
}

/** @throws ProblemError `SourceRangesRequired` for what can be read only once: whoever fails could not begin again */
export function refuseOneShot({ oneShot, format }: DiskReader): void {
  if (oneShot) throw new ProblemError('SourceRangesRequired', `a disk of format ${format} that can be read only once`);
}

/**
 * The whole disk, leaf by leaf in its order; not to be changed. `onLeaf` is shown those with data, and where the source can only be read from its start all of them.
 * @throws ProblemError `ImageNotInOrder`, and the problems of source and format
 */
export async function* leavesInOrder(reader: DiskReader, options: LeafOptions): AsyncGenerator<Uint8Array, void> {
  if (isForward(reader)) return yield* forwardLeaves(reader, options);
  const survey = await surveyDisk(reader, { signal: options.signal });
  const leaves = new LeafReader({ reader, survey, ...options });
  const count = leafCount(reader.virtualSizeBytes);
  const zeroes = new Uint8Array(Math.min(LEAF_BYTES, reader.virtualSizeBytes));
  let next = 0;
  for (let leaf = 0; leaf < count; leaf += 1) {
    options.signal?.throwIfAborted();
    while (next < survey.dataLeaves.length && (survey.dataLeaves[next] ?? 0) < leaf) next += 1;
    // A failure shows when the leaf's turn has come.
    for (const ahead of survey.dataLeaves.slice(next, next + AHEAD)) leaves.read(ahead).catch(() => {});
    if (survey.dataLeaves[next] === leaf) yield await leaves.read(leaf);
    else yield zeroes.subarray(0, Math.min(LEAF_BYTES, reader.virtualSizeBytes - leaf * LEAF_BYTES));
  }
}
