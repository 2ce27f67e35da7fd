import { z } from 'zod';
import type { ZeroMethod } from '../../formats/raw/device-disk.ts';
import type { VerifyMode } from '../../ports/transfer.ts';

const recordSchema = z.object({
  version: z.literal(1),
  /** Of the claim that was written to. */
  volume: z.string(),
  verify: z.enum(['readback', 'none']),
  /** How holes became zeroes; absent while there was none, or where none had to. */
  zeroes: z.enum(['punched', 'written']).optional(),
  /** The engine's, in base64. */
  checkpoint: z.string(),
});

/** What is kept of a transfer onto a volume, elsewhere than on it. */
export interface VolumeRecord {
  readonly volume: string;
  readonly verify: VerifyMode;
  readonly zeroes?: ZeroMethod | undefined;
  readonly checkpoint: Uint8Array;
}

export function encodeVolumeRecord({ checkpoint, ...rest }: VolumeRecord): Uint8Array {
  const base64 = Buffer.from(checkpoint).toString('base64');
  return Buffer.from(`${JSON.stringify({ version: 1, ...rest, checkpoint: base64 })}\n`);
}

/** Undefined for anything that is not a whole record of ours. The checkpoint carries a checksum of its own. */
export function decodeVolumeRecord(bytes: Uint8Array): VolumeRecord | undefined {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
  const { data } = recordSchema.safeParse(json);
  return data && { ...data, checkpoint: Buffer.from(data.checkpoint, 'base64') };
}
