import { z } from 'zod';
import type { ConfigMap } from '../../../api/core-kinds.ts';
import { type TransferredDisk, transferredDiskSchema } from '../../../api/transfer-protocol.ts';
import type { ObjectMeta, OwnerReference } from '../../../domain/kubernetes-object.ts';
import { type ProblemCode, problems } from '../../../domain/problems.ts';
import { labelsOf, namesOf } from '../names.ts';
import { CA_KEY } from '../objects/transfer-job.ts';

const problemSchema = z.object({
  code: z.custom<ProblemCode>((value) => typeof value === 'string' && Object.hasOwn(problems, value)),
  message: z.string().max(4096),
  epoch: z.int(),
  /** When, where no Pod is left to tell; milliseconds since the epoch. */
  at: z.number().optional(),
});

const stateSchema = z.object({
  version: z.literal(1),
  /** The only run that may write; the next one takes the next number (ruling 16). */
  epoch: z.int().min(0),
  /** Runs in a row, before this one, that failed without getting further. */
  failures: z.int().min(0),
  /** Bytes of the disk that were durable when this run began, and that the stored checkpoint holds now. */
  begunAtBytes: z.number().min(0),
  checkpointBytes: z.number().min(0),
  problem: problemSchema.optional(),
  result: transferredDiskSchema.optional(),
  /** What the current run is for, where somebody else writes the disk: to be downloaded from or to send it, or to read what became of it. Absent: it copies onto a volume. */
  stage: z.enum(['serve', 'prove']).optional(),
  /** What a downloader's path begins with; another one with each image. */
  imageToken: z.string().max(256).optional(),
  /** The run whose disk was downloaded or sent, and what it says of it. */
  served: z.object({ epoch: z.int(), result: transferredDiskSchema }).optional(),
});

/** What is known of one disk's transfer, whichever controller and worker made it. */
export type TransferState = z.infer<typeof stateSchema>;
export type TransferResult = TransferredDisk;
export type TransferProblem = z.infer<typeof problemSchema>;

export interface TransferRecord {
  readonly state: TransferState;
  readonly checkpoint: Uint8Array | undefined;
  readonly resourceVersion: string | undefined;
}

export const FRESH: TransferState = { version: 1, epoch: 0, failures: 0, begunAtBytes: 0, checkpointBytes: 0 };

const STATE_KEY = 'state.json';
const CHECKPOINT_KEY = 'checkpoint';

/** The ConfigMap of one disk, which holds its checkpoint (ruling 2: under 8 KiB) and goes with the import. */
export function recordObject(
  place: { readonly namespace: string; readonly owner: OwnerReference; readonly disk: number },
  { state, checkpoint, resourceVersion }: TransferRecord,
  caPem: string,
): ConfigMap {
  const { namespace, owner, disk } = place;
  const metadata: ObjectMeta = {
    name: namesOf(owner.uid).checkpoint(disk),
    namespace,
    labels: labelsOf(owner.uid, { disk }),
    ownerReferences: [owner],
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata,
    data: { [STATE_KEY]: JSON.stringify(state), [CA_KEY]: caPem },
    ...(checkpoint === undefined
      ? {}
      : { binaryData: { [CHECKPOINT_KEY]: Buffer.from(checkpoint).toString('base64') } }),
  };
}

/** What somebody else changed so that it cannot be read counts as never begun, but for the epoch: a worker of an unknown run may be writing still. Undefined means just that. */
export function readRecord({ metadata, data, binaryData }: ConfigMap): TransferRecord | undefined {
  const state = stateSchema.safeParse(parseJson(data?.[STATE_KEY]));
  if (!state.success) return undefined;
  const checkpoint = binaryData?.[CHECKPOINT_KEY];
  return {
    state: state.data,
    checkpoint: checkpoint === undefined ? undefined : Buffer.from(checkpoint, 'base64'),
    resourceVersion: metadata.resourceVersion,
  };
}

function parseJson(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Of a run that has to do with an image. */
export interface ImageRun {
  readonly stage: 'serve' | 'prove';
  /** Absent where it is sent. */
  readonly imageToken?: string;
}

/** The state in which the next run begins. */
export function beginNext(state: TransferState, epoch: number, image?: ImageRun): TransferState {
  const { problem: _problem, result: _result, stage: _stage, served, ...rest } = state;
  // What comes after a success begins without failures.
  const failures = state.epoch === 0 || served?.epoch === state.epoch ? 0 : failuresOf(state);
  // What is served anew was not downloaded: the image that was is gone.
  const kept = served === undefined || image?.stage === 'serve' ? {} : { served };
  return { ...rest, ...kept, ...image, epoch, failures, begunAtBytes: state.checkpointBytes };
}

/** Failures in a row without a byte of progress, when the current run has failed as well. */
export function failuresOf({ checkpointBytes, begunAtBytes, failures }: TransferState): number {
  return checkpointBytes > begunAtBytes ? 1 : failures + 1;
}
