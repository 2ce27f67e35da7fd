import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { DiskResult } from '../ports/transfer.ts';
import type { DigestTree, Subtree } from './digest-tree.ts';

/** Most subtrees a checkpoint names. Past that the smallest are left out and their leaves copied again, so that a checkpoint stays under 8 KiB (ruling 2). */
const MAX_SUBTREES = 96;
/** What a checkpoint takes at most (ruling 2), the digests of a finished disk aside. */
export const MAX_CHECKPOINT_BYTES = 8 * 1024;

const diskResultSchema = z.object({
  format: z.string(),
  virtualSizeBytes: z.number(),
  dataBytes: z.number(),
  digest: z.object({ root: z.string(), sectionBytes: z.number(), sections: z.array(z.string()).readonly() }).optional(),
  storedDigests: z
    .array(
      z.object({
        name: z.string(),
        algorithm: z.enum(['sha1', 'sha256', 'sha512']),
        expected: z.string().optional(),
        actual: z.string(),
      }),
    )
    .readonly(),
  fetchedBytes: z.number(),
  writtenBytes: z.number(),
  copyMs: z.number(),
  verifyMs: z.number(),
  resumes: z.number(),
}) satisfies z.ZodType<DiskResult>;

const checkpointSchema = z.object({
  version: z.literal(1),
  contentId: z.string(),
  /** Of the disk on the target; its format is part of it. */
  fileName: z.string(),
  virtualSizeBytes: z.number(),
  isHashing: z.boolean(),
  /** Level, index, digest in base64 (empty without verification). */
  subtrees: z.array(z.tuple([z.number(), z.number(), z.string()])),
  /** Per file of the image; null where nothing is hashed or the hash cannot be stored. */
  storedDigests: z.array(
    z
      .object({
        position: z.number(),
        finished: z.array(z.array(z.string()).readonly()).readonly(),
        states: z.array(z.string()).readonly().optional(),
      })
      .nullable(),
  ),
  copiedBytes: z.number(),
  fetchedBytes: z.number(),
  writtenBytes: z.number(),
  copyMs: z.number(),
  resumes: z.number(),
  /** Present when the disk is finished and verified. */
  result: diskResultSchema.optional(),
});

/** A durable point from which the transfer of one disk can go on. */
export type Checkpoint = z.infer<typeof checkpointSchema>;

/** The bytes carry their own checksum: a torn or altered record must not be believed. */
export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array {
  const body = JSON.stringify(checkpoint);
  return Buffer.from(`${sha256(body)}\n${body}\n`);
}

/** Undefined for anything that is not a whole checkpoint of ours; the transfer then starts over. */
export function decodeCheckpoint(bytes: Uint8Array): Checkpoint | undefined {
  const text = Buffer.from(bytes).toString();
  const checksum = text.slice(0, 64);
  const body = text.slice(65, -1);
  if (checksum !== sha256(body)) return undefined;
  return checkpointSchema.safeParse(JSON.parse(body)).data;
}

export function subtreesForCheckpoint(tree: DigestTree): Checkpoint['subtrees'] {
  const all = tree.completeSubtrees();
  const kept = all.length <= MAX_SUBTREES ? all : largestFirst(all).slice(0, MAX_SUBTREES);
  return kept.map(({ level, index, digest }) => [level, index, Buffer.from(digest).toString('base64')]);
}

export function subtreesFromCheckpoint(checkpoint: Checkpoint): Subtree[] {
  return checkpoint.subtrees.map(([level, index, digest]) => ({ level, index, digest: Buffer.from(digest, 'base64') }));
}

function largestFirst(subtrees: readonly Subtree[]): Subtree[] {
  return subtrees.toSorted((a, b) => b.level - a.level || a.index - b.index);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
