import { describe, expect, test } from 'vitest';
import { LEAF_BYTES } from '../domain/digest-layout.ts';
import { ProblemError } from '../domain/problems.ts';
import { bytesPerSecond } from '../ports/measure.ts';
import { MemoryImageFile } from '../testing/memory-image-file.ts';
import { plainWindow } from '../testing/plain-window.ts';
import { buildSyntheticDisk, decodeSynthetic, type SyntheticDisk, syntheticReader } from '../testing/synthetic-disk.ts';
import { TickingClock } from '../testing/ticking-clock.ts';
import { type MeasureParts, measureSource } from './measure-rates.ts';

const disk = buildSyntheticDisk({ virtualSizeBytes: 9 * LEAF_BYTES });
const partsWith = (clock: TickingClock, more: Partial<MeasureParts> = {}): MeasureParts => ({
  decode: decodeSynthetic,
  window: plainWindow,
  lanes: { count: 3 },
  random: () => 0,
  clock,
  ...more,
});
const times = { readMs: 1_000, decodeMs: 50 };

/** A file whose pieces take that long each; it never ends by itself where `stallsAt` says so. */
function slowFile(of: SyntheticDisk, clock: TickingClock, options: { pieceMs: number; stallsAt?: number }) {
  const file = new MemoryImageFile(of.image, { pieceBytes: 10_000 });
  const whole = file.stream.bind(file);
  file.stream = async function* (streamOptions) {
    let at = streamOptions?.from ?? 0;
    for await (const piece of whole(streamOptions)) {
      clock.advance(options.pieceMs);
      at += piece.length;
      if (options.stallsAt !== undefined && at >= options.stallsAt) {
        // Nobody else moves the clock while everything waits.
        setImmediate(() => clock.advance(10_000));
        await new Promise((_, reject) =>
          streamOptions?.signal?.addEventListener('abort', () => reject(streamOptions.signal?.reason)),
        );
      }
      streamOptions?.signal?.throwIfAborted();
      yield piece;
    }
  };
  return file;
}

describe('measureSource', () => {
  test('tells how fast a source comes, is unpacked and hashed, and leaves it closed', async () => {
    const clock = new TickingClock(0);
    const file = slowFile(disk, clock, { pieceMs: 10 });
    const decode: MeasureParts['decode'] = (piece, encoded, out) => {
      clock.advance(1);
      return decodeSynthetic(piece, encoded, out);
    };
    const rates = await measureSource(partsWith(clock, { decode }), syntheticReader(disk, { file }), times);
    expect(rates && bytesPerSecond(rates.read)).toBeGreaterThan(900_000);
    expect(rates && bytesPerSecond(rates.read)).toBeLessThan(1_000_001);
    // A piece has 64 KiB.
    expect(rates && bytesPerSecond(rates.decode)).toBeCloseTo(65_536_000, -3);
    expect(rates).toMatchObject({ lanes: 3 });
    expect(rates?.expansion).toBeCloseTo(disk.content.length / 2 / disk.image.length, -1);
    expect(file.openStreams).toBe(0);
    expect(clock.waiting).toBe(0);
  });

  test('what comes while connections are opened does not count', async () => {
    const clock = new TickingClock(0);
    let pieceMs = 100;
    const file = slowFile(disk, clock, {
      get pieceMs() {
        // Slow in the first third of the time, ten times as fast after it.
        if (clock.ms > 350) pieceMs = 10;
        return pieceMs;
      },
    });
    const rates = await measureSource(partsWith(clock), syntheticReader(disk, { file }), times);
    expect(rates && bytesPerSecond(rates.read)).toBeGreaterThan(900_000);
  });

  test('a source that stalls is given up when the time is over, with what had come', async () => {
    const clock = new TickingClock(0);
    const file = slowFile(disk, clock, { pieceMs: 1, stallsAt: disk.image.length / 2 });
    const rates = await measureSource(partsWith(clock), syntheticReader(disk, { file }), times);
    expect(rates?.read.ms).toBeGreaterThan(1_000);
    expect(file.openStreams).toBe(0);
  });

  test('one that gives nothing has no speed', async () => {
    const clock = new TickingClock(0);
    const file = slowFile(disk, clock, { pieceMs: 1, stallsAt: 1 });
    const reader = syntheticReader(disk, { file });
    expect(await measureSource(partsWith(clock), reader, times)).toBeUndefined();
  });

  test('a disk without data has no speed', async () => {
    const empty = buildSyntheticDisk({ virtualSizeBytes: 3 * LEAF_BYTES, density: 0 });
    const parts = partsWith(new TickingClock(), { random: () => 0.9 });
    expect(await measureSource(parts, syntheticReader(empty), times)).toBeUndefined();
  });

  test('begins anywhere in the disk, and at its start where nothing lies behind that', async () => {
    const first = async (of: SyntheticDisk, random: number, forward: boolean) => {
      const offsets: number[] = [];
      const decode: MeasureParts['decode'] = (piece, encoded, out) => {
        offsets.push(piece.offset);
        return decodeSynthetic(piece, encoded, out);
      };
      const parts = partsWith(new TickingClock(), { decode, random: () => random });
      await measureSource(parts, syntheticReader(of, { forward }), times);
      return offsets[0];
    };
    expect(await first(disk, 0.5, false)).toBeGreaterThanOrEqual(3 * LEAF_BYTES);
    // A stream passes everything anyway.
    expect(await first(disk, 0.5, true)).toBeLessThan(LEAF_BYTES);
    const all = buildSyntheticDisk({ virtualSizeBytes: 40 * LEAF_BYTES, density: 0.5 });
    const early = { ...all, pieces: all.pieces.filter(({ offset }) => offset < LEAF_BYTES) };
    expect(await first(early, 0.5, false)).toBeLessThan(LEAF_BYTES);
  });

  test('reads what lanes would read by itself', async () => {
    const file = new MemoryImageFile(disk.image, { pieceBytes: 10_000 });
    Object.assign(file, { origin: { file: { path: '/nowhere', offset: 0, sizeBytes: disk.image.length } } });
    const rates = await measureSource(partsWith(new TickingClock()), syntheticReader(disk, { file }), times);
    expect(rates?.read.bytes).toBeGreaterThan(0);
    expect(rates?.read.bytes).toBeLessThanOrEqual(disk.image.length);
  });

  test('a user who stops is not given a result', async () => {
    const clock = new TickingClock(0);
    const stop = new AbortController();
    const file = slowFile(disk, clock, { pieceMs: 1 });
    const reader = syntheticReader(disk, { file });
    const decode: MeasureParts['decode'] = (piece, encoded, out) => {
      stop.abort(new ProblemError('Interrupted', 'stopped'));
      clock.advance(1);
      return decodeSynthetic(piece, encoded, out);
    };
    const measuring = measureSource(partsWith(clock, { decode }), reader, { ...times, signal: stop.signal });
    await expect(measuring).rejects.toMatchObject({ code: 'Interrupted' });
    const early = measureSource(partsWith(clock), reader, { ...times, signal: stop.signal });
    await expect(early).rejects.toMatchObject({ code: 'Interrupted' });
  });

  test('damage is told', async () => {
    const decode: MeasureParts['decode'] = () => {
      throw new ProblemError('DiskImageCorrupt', 'no stream');
    };
    const measuring = measureSource(partsWith(new TickingClock(), { decode }), syntheticReader(disk), times);
    await expect(measuring).rejects.toMatchObject({ code: 'DiskImageCorrupt' });
  });
});
