import { inflateRawSync, inflateSync } from 'node:zlib';
import { loadLibdeflate } from '../lib/libdeflate.ts';
import { type Inflate, InflateError } from '../ports/lane.ts';

export interface ChosenInflate {
  readonly inflate: Inflate;
  /** For people. */
  readonly implementation: string;
}

/** libdeflate where the system has it, else zlib. `AIRLIFT_INFLATE=zlib` does without it. */
export function chooseInflate(wanted = process.env.AIRLIFT_INFLATE): ChosenInflate {
  const libdeflate = wanted === 'zlib' ? undefined : inflateByLibdeflate();
  if (libdeflate !== undefined) return { inflate: libdeflate, implementation: 'libdeflate' };
  return { inflate: inflateByZlib, implementation: `zlib ${process.versions.zlib ?? 'unknown'}` };
}

/** Undefined where the system has no libdeflate. */
export function inflateByLibdeflate(): Inflate | undefined {
  const decode = loadLibdeflate();
  return (
    decode &&
    ((wrapping, packed, out) => {
      const result = decode(wrapping, packed, out);
      if (typeof result === 'number') return result;
      throw new InflateError(result);
    })
  );
}

export const inflateByZlib: Inflate = (wrapping, packed, out) => {
  const unpack = wrapping === 'zlib' ? inflateSync : inflateRawSync;
  try {
    // One chunk that holds more than allowed: a full piece takes one round, which is twice as fast as the default, and a bomb stops there.
    const unpacked = unpack(packed, {
      maxOutputLength: Math.max(1, out.length),
      chunkSize: Math.max(64, out.length + 64),
    });
    if (unpacked.length > out.length) throw new InflateError('tooLong');
    out.set(unpacked);
    return unpacked.length;
  } catch (cause) {
    if (cause instanceof InflateError) throw cause;
    const isTooLong = cause instanceof Error && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE';
    throw new InflateError(isTooLong ? 'tooLong' : 'corrupt', { cause });
  }
};
