import { z } from 'zod';
import type { TransferRun } from '../api/transfer-protocol.ts';
import { ProblemError } from '../domain/problems.ts';

const text = z.string().min(1).max(4096);

const environmentSchema = z.object({
  AIRLIFT_ENDPOINT: z.url({ protocol: /^https$/ }),
  AIRLIFT_ENDPOINT_CA: text,
  AIRLIFT_TRANSFER: text,
  AIRLIFT_EPOCH: z.string().regex(/^\d{1,9}$/),
  AIRLIFT_TOKEN_FILE: text,
  AIRLIFT_VOLUME: text.optional(),
  AIRLIFT_CHECKPOINT_SECONDS: z.coerce.number().int().min(1).max(3600).optional(),
});

/** All that a worker is told by whoever starts it; the rest it asks the endpoint for. */
export interface WorkerEnvironment {
  /** https */
  readonly endpointUrl: string;
  /** PEM file with the authority of the endpoint's certificate; it alone is trusted. */
  readonly caFile: string;
  readonly run: TransferRun;
  /** The projected token; the kubelet replaces it before it ends. */
  readonly tokenFile: string;
  /** A block device, or the folder of a mounted file system; absent for a worker that has no volume. */
  readonly volumePath: string | undefined;
  /** As it is by itself, unless told. */
  readonly checkpointEveryMs: number | undefined;
}

/** @throws ProblemError `WorkerEnvironmentInvalid` naming every variable that is wrong */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): WorkerEnvironment {
  const parsed = environmentSchema.safeParse(env);
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw new ProblemError('WorkerEnvironmentInvalid', issues.join('; '), { cause: parsed.error });
  }
  const { data } = parsed;
  return {
    endpointUrl: data.AIRLIFT_ENDPOINT.replace(/\/+$/, ''),
    caFile: data.AIRLIFT_ENDPOINT_CA,
    run: { id: data.AIRLIFT_TRANSFER, epoch: Number(data.AIRLIFT_EPOCH) },
    tokenFile: data.AIRLIFT_TOKEN_FILE,
    volumePath: data.AIRLIFT_VOLUME,
    checkpointEveryMs: data.AIRLIFT_CHECKPOINT_SECONDS && data.AIRLIFT_CHECKPOINT_SECONDS * 1000,
  };
}
