import { describe, expect, test } from 'vitest';
import { ProblemError } from '../domain/problems.ts';
import type { OpenProbeOptions } from '../ports/measure.ts';
import type { Target } from '../ports/target.ts';
import { TickingClock } from '../testing/ticking-clock.ts';
import { measureTarget } from './measure-transfer.ts';

const MIB = 1024 * 1024;

/** A target that takes `mibPerSecond` when it flushes, after waiting for `flushMs`, and remembers what was asked of it. */
function slowTarget(options: { mibPerSecond: number; flushMs?: number; fails?: 'write' | 'flush' | 'read' }) {
  const clock = new TickingClock(0);
  const seen = { asked: [] as OpenProbeOptions[], writtenBytes: 0, flushes: 0, readBytes: 0, isOpen: false };
  const failIf = (what: typeof options.fails) => {
    if (options.fails === what) throw new ProblemError('TargetFull', `no ${what}`);
  };
  let dirtyBytes = 0;
  const target: Target = {
    kind: 'dir',
    location: 'dir:/out',
    diskFormat: 'raw',
    async *preflight() {},
    openMachine: () => Promise.reject(new Error('not here')),
    async openProbe(asked) {
      seen.asked.push(asked);
      seen.isOpen = true;
      return {
        async write(offset, bytes) {
          failIf('write');
          expect(offset).toBe(seen.writtenBytes);
          seen.writtenBytes += bytes.length;
          dirtyBytes += bytes.length;
        },
        async flush() {
          failIf('flush');
          clock.advance((options.flushMs ?? 0) + (dirtyBytes / MIB / options.mibPerSecond) * 1000);
          dirtyBytes = 0;
          seen.flushes += 1;
        },
        async read(_offset, into) {
          failIf('read');
          expect(dirtyBytes).toBe(0);
          clock.advance((into.length / MIB / options.mibPerSecond / 2) * 1000);
          seen.readBytes += into.length;
        },
        async [Symbol.asyncDispose]() {
          seen.isOpen = false;
        },
      };
    },
    [Symbol.asyncDispose]: async () => {},
  };
  return { clock, seen, target };
}
const options = { maxMs: 2_000, keepFreeBytes: 77 };
const mibPerSecond = ({ bytes, ms }: { bytes: number; ms: number }) => bytes / MIB / (ms / 1000);

describe('measureTarget', () => {
  test.each([5, 50, 500, 5_000])('finds %i MiB/s within its time, and reads back what it wrote', async (speed) => {
    const { clock, seen, target } = slowTarget({ mibPerSecond: speed });
    const rates = await measureTarget({ clock }, target, options);
    expect(rates && mibPerSecond(rates.write)).toBeCloseTo(speed);
    expect(rates && mibPerSecond(rates.readBack)).toBeCloseTo(speed * 2);
    expect(clock.ms).toBeLessThanOrEqual(2_400);
    expect(seen.readBytes).toBeLessThanOrEqual(seen.writtenBytes);
    expect(seen.isOpen).toBe(false);
  });

  test('writes at most a quarter of a gigabyte, and says so when it opens', async () => {
    const { clock, seen, target } = slowTarget({ mibPerSecond: 100_000 });
    await measureTarget({ clock }, target, options);
    expect(seen.asked).toMatchObject([{ maxBytes: 256 * MIB, keepFreeBytes: 77 }]);
    expect(seen.writtenBytes).toBe(255 * MIB);
    await measureTarget({ clock }, target, { ...options, maxBytes: 3 * MIB }).catch(() => {});
    expect(seen.asked.at(-1)).toMatchObject({ maxBytes: 3 * MIB });
  });

  test('waiting for a flush counts little against a fast target', async () => {
    const { clock, target } = slowTarget({ mibPerSecond: 1_000, flushMs: 10 });
    const rates = await measureTarget({ clock }, target, options);
    expect(rates && mibPerSecond(rates.write)).toBeGreaterThan(900);
  });

  test.each(['write', 'flush', 'read'] as const)('a failing %s is told, and the file is closed', async (fails) => {
    const { clock, seen, target } = slowTarget({ mibPerSecond: 100, fails });
    await expect(measureTarget({ clock }, target, options)).rejects.toMatchObject({ code: 'TargetFull' });
    expect(seen.isOpen).toBe(false);
  });

  test('a user who stops ends it', async () => {
    const { clock, seen, target } = slowTarget({ mibPerSecond: 100 });
    const signal = AbortSignal.abort(new ProblemError('Interrupted', 'stopped'));
    const measuring = measureTarget({ clock }, target, { ...options, signal });
    await expect(measuring).rejects.toMatchObject({ code: 'Interrupted' });
    expect(seen).toMatchObject({ isOpen: false, writtenBytes: 0 });
  });

  test('a target that cannot be measured, or does not want to be, is not', async () => {
    const { clock, target } = slowTarget({ mibPerSecond: 100 });
    expect(await measureTarget({ clock }, { ...target, openProbe: async () => undefined }, options)).toBeUndefined();
    const { openProbe: _, ...without } = target;
    expect(await measureTarget({ clock }, without, options)).toBeUndefined();
  });
});
