import { isProblem } from '../domain/problems.ts';
import { randomBelow, seededRandom } from './random.ts';

export interface FuzzOptions {
  /** Well-formed inputs to damage; the corpus. */
  readonly seeds: readonly Uint8Array[];
  /** Parses one input to its end. Anything thrown other than a ProblemError is a bug, and so is running longer than `caseMs`. */
  readonly run: (input: Uint8Array) => unknown;
  readonly caseMs?: number;
  /** Byte ranges of a seed worth damaging (headers, tables), half of the mutations go there. */
  readonly hot?: readonly { readonly from: number; readonly to: number }[];
}

export interface FuzzResult {
  readonly cases: number;
  readonly accepted: number;
  readonly refused: Readonly<Record<string, number>>;
}

/**
 * Damages well-formed inputs in many small ways and demands that the parser accepts them or refuses them with a ProblemError. Its size comes from
 * AIRLIFT_FUZZ_CASES and AIRLIFT_FUZZ_SECONDS (whichever ends first; 2,000 cases unless told), its seed from AIRLIFT_SEED; a failure prints the input.
 */
export async function fuzz(name: string, options: FuzzOptions): Promise<FuzzResult> {
  const seed = Number(process.env.AIRLIFT_SEED ?? 20261122);
  const seconds = Number(process.env.AIRLIFT_FUZZ_SECONDS ?? 600);
  const cases = Number(process.env.AIRLIFT_FUZZ_CASES ?? (process.env.AIRLIFT_FUZZ_SECONDS ? 1_000_000 : 2_000));
  const random = seededRandom(seed);
  const end = performance.now() + seconds * 1000;
  const refused: Record<string, number> = {};
  let accepted = 0;
  let count = 0;

  for (; count < cases && performance.now() < end; count += 1) {
    const base = options.seeds[randomBelow(random, options.seeds.length)];
    if (base === undefined) throw new Error('fuzz needs a seed');
    const input = mutate(base, random, options.hot ?? []);
    const started = performance.now();
    try {
      await options.run(input);
      accepted += 1;
    } catch (error) {
      if (!isProblem(error)) throw new Error(describe(name, seed, count, input, String(error)), { cause: error });
      refused[error.code] = (refused[error.code] ?? 0) + 1;
    }
    const took = performance.now() - started;
    if (took > (options.caseMs ?? 10_000))
      throw new Error(describe(name, seed, count, input, `took ${Math.round(took)} ms`));
  }
  return { cases: count, accepted, refused };
}

/** Values that break arithmetic: zero, ones, powers of two and their neighbours. */
const EVIL = [
  0n,
  1n,
  0x7fn,
  0x80n,
  0xffn,
  0xffffn,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  1n << 40n,
  (1n << 53n) + 1n,
  1n << 63n,
  (1n << 64n) - 1n,
];

function mutate(base: Uint8Array, random: () => number, hot: NonNullable<FuzzOptions['hot']>): Uint8Array {
  let bytes: Uint8Array = Uint8Array.from(base);
  const rounds = 1 + randomBelow(random, 4);
  for (let round = 0; round < rounds; round += 1) {
    if (bytes.length === 0) return bytes;
    const zone = hot.length > 0 && random() < 0.5 ? hot[randomBelow(random, hot.length)] : undefined;
    const from = Math.min(zone?.from ?? 0, bytes.length - 1);
    const to = Math.max(from + 1, Math.min(zone?.to ?? bytes.length, bytes.length));
    const at = from + randomBelow(random, to - from);
    const kind = randomBelow(random, 7);
    if (kind === 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << randomBelow(random, 8));
    else if (kind === 1) bytes[at] = randomBelow(random, 256);
    else if (kind === 2) writeEvil(bytes, at, random);
    else if (kind === 3) bytes = bytes.subarray(0, at);
    else if (kind === 4) bytes.copyWithin(at, randomBelow(random, bytes.length), at + 1 + randomBelow(random, 512));
    else if (kind === 5) bytes.fill(randomBelow(random, 2) * 255, at, at + 1 + randomBelow(random, 64));
    else bytes = splice(bytes, at, randomBelow(random, 16), randomBelow(random, 16));
  }
  return bytes;
}

function writeEvil(bytes: Uint8Array, at: number, random: () => number): void {
  const width = [1, 2, 4, 8][randomBelow(random, 4)] ?? 1;
  const big = random() < 0.5;
  let value = EVIL[randomBelow(random, EVIL.length)] ?? 0n;
  for (let index = 0; index < width && at + index < bytes.length; index += 1) {
    bytes[big ? Math.min(bytes.length, at + width) - 1 - index : at + index] = Number(value & 0xffn);
    value >>= 8n;
  }
}

function splice(bytes: Uint8Array, at: number, drop: number, add: number): Uint8Array {
  const rest = bytes.subarray(Math.min(bytes.length, at + drop));
  const next = new Uint8Array(at + add + rest.length);
  next.set(bytes.subarray(0, at));
  next.set(rest, at + add);
  return next;
}

function describe(name: string, seed: number, index: number, input: Uint8Array, what: string): string {
  return `${name}: case ${index} of seed ${seed}: ${what}\ninput (base64, first 64 KiB): ${Buffer.from(input.subarray(0, 65_536)).toString('base64')}`;
}
