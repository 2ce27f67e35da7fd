import { describe, expect, test } from 'vitest';
import { isProblem } from '../../domain/problems.ts';
import { FakeClock } from '../fake-clock.ts';
import { MemoryImageFile } from '../memory-image-file.ts';
import { ActiveFaults, type FaultPlan } from './fault-plan.ts';
import { faultyImageFile, type ImageFault } from './faulty-image-file.ts';

const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index % 251);

function spoil(plan: FaultPlan<ImageFault>) {
  const inner = new MemoryImageFile(bytes, { pieceBytes: 100 });
  const faults = new ActiveFaults(plan);
  const clock = new FakeClock();
  return { inner, faults, clock, file: faultyImageFile(inner, { faults, clock }) };
}

/** What a stream gives, and how it ends. */
async function readThrough(stream: AsyncIterable<Uint8Array>) {
  const got: number[] = [];
  try {
    for await (const piece of stream) got.push(...piece);
  } catch (error) {
    return { got, error };
  }
  return { got, error: undefined };
}

describe('a faulty image file', () => {
  test('without a plan is the file itself, but shows no origin', async () => {
    const { file } = spoil([]);
    expect((await readThrough(file.stream({ from: 7, to: 990 }))).got).toEqual([...bytes.subarray(7, 990)]);
    expect(await file.read?.(3, 5)).toEqual(bytes.subarray(3, 8));
    expect(file.origin).toBeUndefined();
    expect(file.sizeBytes).toBe(1000);
  });

  test.each([
    ['drop', 'SourceClosedEarly'],
    ['fail', 'SourceReadFailed'],
  ] as const)(
    'that is to %s gives the bytes before the place, then the problem, and goes well again',
    async (does, code) => {
      const { file, inner } = spoil([{ at: { byte: 333 }, fault: { does } }]);
      const { got, error } = await readThrough(file.stream());
      expect(got).toEqual([...bytes.subarray(0, 333)]);
      expect(isProblem(error, code)).toBe(true);
      expect(inner.openStreams).toBe(0);
      expect((await readThrough(file.stream({ from: 333 }))).got).toEqual([...bytes.subarray(333)]);
    },
  );

  test('that fails for good fails in every read from there on', async () => {
    const { file } = spoil([{ at: { byte: 500 }, fault: { does: 'fail' }, times: Number.POSITIVE_INFINITY }]);
    await expect(file.read?.(0, 500)).resolves.toHaveLength(500);
    for (let tries = 0; tries < 3; tries += 1)
      await expect(file.read?.(400, 200)).rejects.toMatchObject({ code: 'SourceReadFailed' });
  });

  test('ends short without a word', async () => {
    const { file } = spoil([{ at: { byte: 450 }, fault: { does: 'short' }, times: 2 }]);
    expect(await readThrough(file.stream())).toEqual({ got: [...bytes.subarray(0, 450)], error: undefined });
    expect(await file.read?.(440, 100)).toEqual(bytes.subarray(440, 450));
  });

  test('turns one bit, which the observer sees too', async () => {
    const { file } = spoil([{ at: { byte: 777 }, fault: { does: 'flip' } }]);
    const seen: number[] = [];
    const { got } = await readThrough(file.stream({ observe: (_offset, piece) => seen.push(...piece) }));
    expect(got.flatMap((byte, index) => (byte === bytes[index] ? [] : [index]))).toEqual([777]);
    expect(seen).toEqual(got);
  });

  test('tells a wrong length of itself, and has the bytes it has', async () => {
    const { file } = spoil([{ at: { operation: 1 }, fault: { does: 'length', bytes: 24 } }]);
    expect(file.sizeBytes).toBe(1024);
    expect((await readThrough(file.stream())).got).toHaveLength(1000);
  });

  test('becomes another file once the place was read', async () => {
    const { file } = spoil([{ at: { byte: 600 }, fault: { does: 'change' } }]);
    await file.read?.(0, 600);
    expect(await file.readIdentity()).toBe(file.identity);
    await file.read?.(600, 1);
    expect(await file.readIdentity()).not.toBe(file.identity);
  });

  test('counts through several files where it is told where its own bytes begin', async () => {
    const faults = new ActiveFaults<ImageFault>([{ at: { byte: 1500 }, fault: { does: 'short' } }]);
    const parts = { faults, clock: new FakeClock() };
    const first = faultyImageFile(new MemoryImageFile(bytes), parts);
    const second = faultyImageFile(new MemoryImageFile(bytes), { ...parts, countsFrom: 1000 });
    expect((await readThrough(first.stream())).got).toHaveLength(1000);
    expect((await readThrough(second.stream())).got).toHaveLength(500);
  });

  test('stalls for as long as planned', async () => {
    const { file, clock } = spoil([{ at: { byte: 0 }, fault: { does: 'stall', ms: 5000 } }]);
    expect(await file.read?.(0, 10)).toEqual(bytes.subarray(0, 10));
    expect(clock.delays).toEqual([5000]);
  });

  test('stalls until it is aborted, with the reason of the abort', async () => {
    const { file, faults } = spoil([{ at: { byte: 200 }, fault: { does: 'stall' } }]);
    const controller = new AbortController();
    faults.onStrike = () => controller.abort(new Error('enough'));
    const { got, error } = await readThrough(file.stream({ signal: controller.signal }));
    expect(got).toHaveLength(200);
    expect(error).toEqual(new Error('enough'));
  });
});
