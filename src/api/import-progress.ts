import { z } from 'zod';
import { count, text, timestamp } from './fields.ts';

/** Where an import is, in words for people; `status.importStatus` goes on saying it in upstream's. */
export const importPhases = [
  'Pending',
  'Preflight',
  'Provisioning',
  'PoweringOff',
  'Transferring',
  'CreatingMachine',
  'StartingMachine',
  'Finished',
  'Suspended',
  'Stalled',
  'Failed',
  'Deleting',
] as const;
export type ImportPhase = (typeof importPhases)[number];

/** Where a disk is. */
export const diskPhases = [
  'Pending',
  'Queued',
  'Starting',
  'Transferring',
  'Verifying',
  'Retrying',
  'Stopping',
  'Stalled',
  'Failed',
  'Done',
] as const;
export type DiskPhase = (typeof diskPhases)[number];

const finding = z.object({
  severity: z.enum(['blocker', 'warning', 'note']).describe('A blocker stops the import before it starts.'),
  code: z.string().describe('[Problem code](../problems.md).'),
  message: z.string().describe('One sentence that names the object and the numbers.'),
  subject: text("What it is about, such as a field or a disk's id."),
  remedy: text('What to do about it.'),
});

const disk = z.object({
  index: z.int().min(0).describe("Place among the machine's disks, from 0; the order of boot."),
  id: text("The disk's id on its source."),
  name: text('What it is called on its source.'),
  claimName: text('The PersistentVolumeClaim it is written to.'),
  virtualSizeBytes: count('Bytes a guest sees.'),
  dataBytes: count('Bytes of it that are not known to be zero.'),
  doneBytes: count('Bytes that are safely written.'),
  totalBytes: count('Bytes there are to write.'),
  phase: z.enum(diskPhases).optional().describe('Where the disk is.'),
  epoch: count('Number of the transfer that may write to it; each start takes the next one.'),
  attempt: count('Failures in a row without a byte of progress between them.'),
  job: text('The Job of that transfer.'),
  node: text('The node it runs on.'),
  reason: text('[Problem code](../problems.md) or word of progress.'),
  message: text('What it waits for or failed with.'),
  lastProgressTime: timestamp('When bytes were last seen to move.'),
  digestRoot: text(
    'Root of the digest tree over the whole disk; given once it was written and, unless told otherwise, read back.',
  ),
});

/** `status.progress`. */
export const importProgress = z
  .object({
    phase: z.enum(importPhases).optional().describe('Where the import is.'),
    reason: text('[Problem code](../problems.md) of what is wrong, or a word of progress.'),
    message: text('What is happening or what is wrong, for people.'),
    nextStep: text('What to do; absent while nothing has to be done.'),
    observedGeneration: count('`metadata.generation` of the spec that this is about.'),
    percent: z
      .string()
      .regex(/^(100|[1-9]?[0-9])%$/)
      .optional()
      .describe('Share of the bytes that are safely written, such as `42%`.'),
    doneBytes: count('Bytes that are safely written, all disks together.'),
    totalBytes: count('Bytes there are to write, all disks together.'),
    bytesPerSecond: count('Over the last minute or so.'),
    etaSeconds: count('Seconds until all bytes are written, at that rate.'),
    lastProgressTime: timestamp('When anything was last seen to move.'),
    startedAt: timestamp('When work on this import began.'),
    finishedAt: timestamp('When it ended.'),
    retry: text('The `spec.retry` that was last acted on.'),
    attempt: count('How often the import was begun anew.'),
    plan: text('The ConfigMap that holds what was decided before the first byte.'),
    findings: z.array(finding).optional().describe('All that preflight has to say, not only the first.'),
    disks: z.array(disk).optional().describe("In the order of the machine's disks."),
  })
  .optional()
  .meta({ description: "How far the import is. Airlift's; the old controller knows nothing of it." });
