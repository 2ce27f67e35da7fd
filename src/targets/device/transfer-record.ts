import { z } from 'zod';
import { ProblemError } from '../../domain/problems.ts';
import type { ZeroMethod } from '../../formats/raw/device-disk.ts';
import type { OpenDevice } from '../../formats/raw/open-device.ts';
import { RECORD_KEY, type TransferState } from './transfer-state.ts';

const recordSchema = z.object({
  version: z.literal(1),
  machine: z.string(),
  devices: z.array(
    z.object({
      path: z.string(),
      identity: z.string(),
      /** How this disk's holes became zeroes; absent while there was none. */
      zeroes: z.enum(['punched', 'written']).optional(),
    }),
  ),
});

/** What a transfer was begun with, so that its checkpoints are believed for the same machine and the same devices only. */
export type TransferRecord = z.infer<typeof recordSchema>;

export function recordOf(machine: string, devices: readonly OpenDevice[]): TransferRecord {
  return { version: 1, machine, devices: devices.map(({ path, identity }) => ({ path, identity })) };
}

/** Zeroes that were written once stay written, whatever later holes got. */
export function withZeroMethod(record: TransferRecord, index: number, method: ZeroMethod | undefined): TransferRecord {
  const before = record.devices[index]?.zeroes;
  if (method === undefined || before === method || before === 'written') return record;
  const devices = record.devices.map((each, at) => (at === index ? { ...each, zeroes: method } : each));
  return { ...record, devices };
}

/**
 * Reads the record of an earlier run and refuses to continue for anything else: a checkpoint that speaks of other content would leave parts of a device as they are.
 * @throws ProblemError `PlanChanged`, `CheckpointUnusable`
 */
export async function continueRecord(state: TransferState, now: TransferRecord): Promise<TransferRecord> {
  const before = parseRecord(state.location, await state.load(RECORD_KEY));
  if (before.machine !== now.machine) {
    throw new ProblemError(
      'PlanChanged',
      `${state.location} holds the state of "${before.machine}", not "${now.machine}"`,
    );
  }
  const paths = (record: TransferRecord) => record.devices.map(({ path }) => path).join(', ');
  if (paths(before) !== paths(now)) {
    throw new ProblemError(
      'PlanChanged',
      `the earlier run wrote to ${paths(before)}; this one would write to ${paths(now)}`,
    );
  }
  for (const [index, { path, identity }] of now.devices.entries()) {
    const was = before.devices[index]?.identity;
    if (was === identity) continue;
    throw new ProblemError(
      'PlanChanged',
      `${path} is another device than in the earlier run: it was "${was}" and is "${identity}"`,
    );
  }
  return before;
}

export function encodeRecord(record: TransferRecord): Uint8Array {
  return Buffer.from(`${JSON.stringify(record)}\n`);
}

function parseRecord(location: string, bytes: Uint8Array | undefined): TransferRecord {
  const unusable = (why: string, cause?: unknown) =>
    new ProblemError('CheckpointUnusable', `the record of the devices in ${location} ${why}`, { cause });
  if (bytes === undefined) throw unusable('is gone');
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw unusable('is damaged', cause);
  }
  const parsed = recordSchema.safeParse(json);
  if (!parsed.success) throw unusable('is damaged', parsed.error);
  return parsed.data;
}
