import { z } from 'zod';
import { type ProblemCode, problems } from '../domain/problems.ts';

/**
 * What worker and endpoint say to each other (docs/contracts/worker.md). Fields may be added: either side leaves alone what it does not know, since a worker may run on while the controller
 * is upgraded.
 */

const bytes = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
const count = z.int().min(0);

/** Where everything of one run lies. The epoch is part of it, so that no call can come without (ruling 16). */
export function transferPath({ id, epoch }: TransferRun): string {
  return `/v1/transfers/${encodeURIComponent(id)}/${epoch}`;
}

/** One run of one transfer. */
export interface TransferRun {
  readonly id: string;
  readonly epoch: number;
}

/** Answers that are no success name their problem here, so that a reader of bytes need not read a body; the detail is percent-encoded. */
export const PROBLEM_HEADER = 'airlift-problem';
export const PROBLEM_DETAIL_HEADER = 'airlift-problem-detail';
/** Of a request that stores a checkpoint: bytes of the disk that it vouches for. */
export const DONE_BYTES_HEADER = 'airlift-done-bytes';

/** What one may send at most. */
export const bodyLimits = { checkpoint: 64 * 1024, progress: 64 * 1024, outcome: 1024 * 1024, assignment: 1024 * 1024 };

const ovaSource = z.object({
  /** Without secrets. */
  url: z.string().max(8192),
  /** PEM; the system's own where absent. */
  ca: z
    .string()
    .max(256 * 1024)
    .optional(),
  isInsecure: z.boolean().optional(),
  /** Longest time without a byte. */
  stallMs: z.number().min(1).optional(),
});

const relayedSource = z.object({
  /** Below `source/` of the run. */
  path: z.string().min(1).max(8192),
  /** For messages. */
  location: z.string().max(8192),
  stallMs: z.number().min(1).optional(),
});

const digest = z.object({
  root: z.string().max(128),
  sectionBytes: bytes,
  sections: z.array(z.string().max(128)).max(1024).readonly(),
});

const volume = z.object({
  /** Of the volume's claim. A checkpoint is believed only for the same one. */
  uid: z.string().min(1).max(256),
  /** For messages. */
  name: z.string().max(512),
});

const disk = z.object({
  /** On the source. */
  id: z.string().max(4096),
  /** Among the machine's disks. */
  index: count,
});

const fromSource = z.object({
  /** Exactly one of them. `relay`: through the endpoint, which adds what the source wants to see (ruling 17). */
  source: z.union([z.object({ ova: ovaSource }), z.object({ relay: relayedSource })]),
  /** The source's machine; absent where it has only one. */
  machine: z.string().max(4096).optional(),
  disk,
  verify: z.enum(['readback', 'none']),
  maxRateBytesPerSecond: z.number().positive().optional(),
  /** Most connections to the source. */
  connections: z.int().min(1).max(64).optional(),
});

/** What everybody has to know who reads a disk from its source. */
export type SourceAssignment = z.infer<typeof fromSource>;

/** To copy a disk onto a volume. */
const volumeAssignment = fromSource.extend({ volume });
export type VolumeAssignment = z.infer<typeof volumeAssignment>;

/** To serve a disk as a file, until it was downloaded. */
const imageAssignment = fromSource.extend({
  image: z.object({
    /** What a downloader's path begins with. */
    token: z.string().min(16).max(256),
    port: z.int().min(0).max(65_535),
    /** For messages. */
    name: z.string().max(512),
  }),
});
export type ImageAssignment = z.infer<typeof imageAssignment>;

/** To send a disk to CDI, which writes it. */
const uploadAssignment = fromSource.extend({
  upload: z.object({
    /** For messages. */
    name: z.string().max(512),
  }),
});
export type UploadAssignment = z.infer<typeof uploadAssignment>;

/** To read a volume that somebody else made, and compare. */
const proofAssignment = z.object({
  disk,
  volume,
  proof: z.object({ virtualSizeBytes: bytes, digest }),
});
export type ProofAssignment = z.infer<typeof proofAssignment>;

/** What a worker is to do. Holds no secret of the source: whoever may exec into the worker can read it. */
export const assignmentSchema = z.union([volumeAssignment, imageAssignment, uploadAssignment, proofAssignment]);
export type Assignment = z.infer<typeof assignmentSchema>;

/** Whether what is served or sent has arrived. */
export const takenSchema = z.object({ isTaken: z.boolean() });

/** Where to send a disk, once: the token is for one volume, and over after minutes. */
export const uploadTicketSchema = z.object({
  url: z.url({ protocol: /^https$/ }).max(2048),
  token: z.string().min(1).max(8192),
  /** PEM; the system's own where absent. */
  ca: z
    .string()
    .max(256 * 1024)
    .optional(),
});

export const progressSchema = z.object({
  /** `serve`: whoever downloads decides how fast it goes. */
  phase: z.enum(['open', 'copy', 'serve', 'finish', 'verify', 'done']),
  /** Of the disk, in this phase. */
  doneBytes: bytes,
  totalBytes: bytes.optional(),
  bytesPerSecond: z.number().min(0).optional(),
  /** Bytes of the disk that are durable and in the last stored checkpoint. */
  checkpointBytes: bytes,
  /** What the user should know, since the last report. */
  remarks: z.array(z.string().max(2048)).max(16),
});
export type TransferProgress = z.infer<typeof progressSchema>;

const resultSchema = z.object({
  /** Format and variant on the source. */
  format: z.string().max(256),
  virtualSizeBytes: bytes,
  dataBytes: bytes,
  /** Absent when nothing was verified. */
  digest: digest.optional(),
  storedDigests: z
    .array(
      z.object({
        name: z.string().max(4096),
        algorithm: z.enum(['sha1', 'sha256', 'sha512']),
        expected: z.string().max(256).optional(),
        actual: z.string().max(256),
      }),
    )
    .max(4096)
    .readonly(),
  fetchedBytes: bytes,
  writtenBytes: bytes,
  copyMs: z.number().min(0),
  verifyMs: z.number().min(0),
  resumes: count,
  /** Space that the disk takes up on its volume. */
  allocatedBytes: bytes,
});

const problemSchema = z.object({
  code: z.custom<ProblemCode>((value) => typeof value === 'string' && Object.hasOwn(problems, value)),
  detail: z.string().max(4096),
});

/**
 * How a run ended. `served`: the disk was downloaded or sent, and is still to be proven where it arrived. `TransferInterrupted` among the problems means that the worker was told to stop and
 * saved what it had: the next run continues.
 */
export const outcomeSchema = z.union([
  z.object({ result: resultSchema }),
  z.object({ served: resultSchema }),
  z.object({ problem: problemSchema }),
]);
export type TransferOutcome = z.infer<typeof outcomeSchema>;
export type TransferredDisk = z.infer<typeof resultSchema>;
export type TransferFailure = z.infer<typeof problemSchema>;
/** For whoever stores one. */
export const transferredDiskSchema = resultSchema;
