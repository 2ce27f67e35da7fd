import type { Clock } from '../ports/clock.ts';
import type { DiskProgress } from '../ports/transfer.ts';

/** What a display needs to know at a moment. Bytes count the disk's data in copy, the whole disk in verify. */
export interface ImportProgress {
  readonly disks: readonly DiskDisplay[];
  /** Data copied of all disks. */
  readonly overall: Display;
}

export interface DiskDisplay extends Display {
  readonly index: number;
  readonly name: string;
  readonly phase: 'waiting' | 'copy' | 'finish' | 'verify' | 'done';
}

export interface Display {
  readonly doneBytes: number;
  readonly totalBytes: number | undefined;
  /** Over the last seconds; undefined before there is anything to measure. */
  readonly bytesPerSecond: number | undefined;
  readonly etaMs: number | undefined;
}

/** Half-life of old speed in the running mean. */
const HALF_LIFE_MS = 3_000;
/** Shorter steps are too noisy to measure by. */
const SHORTEST_STEP_MS = 200;

/** A running mean of speed that forgets what is long past, and the time left by it. */
export class RateMeter {
  readonly #clock: Clock;
  #bytesPerMs: number | undefined;
  #lastMs: number;
  #lastBytes: number;

  constructor(clock: Clock, startBytes: number) {
    this.#clock = clock;
    this.#lastMs = clock.monotonicMs();
    this.#lastBytes = startBytes;
  }

  update(doneBytes: number): void {
    const now = this.#clock.monotonicMs();
    const passed = now - this.#lastMs;
    if (passed < SHORTEST_STEP_MS) return;
    const current = Math.max(0, doneBytes - this.#lastBytes) / passed;
    const weight = 1 - 0.5 ** (passed / HALF_LIFE_MS);
    const mean = this.#bytesPerMs;
    this.#bytesPerMs = mean === undefined ? current : mean + weight * (current - mean);
    this.#lastMs = now;
    this.#lastBytes = doneBytes;
  }

  get bytesPerSecond(): number | undefined {
    return this.#bytesPerMs === undefined ? undefined : this.#bytesPerMs * 1000;
  }

  etaMs(doneBytes: number, totalBytes: number | undefined): number | undefined {
    if (totalBytes === undefined || this.#bytesPerMs === undefined || this.#bytesPerMs <= 0) return undefined;
    return Math.max(0, totalBytes - doneBytes) / this.#bytesPerMs;
  }
}

export interface TrackedDisk {
  readonly name: string;
  readonly dataBytes: number | undefined;
}

/** Collects the progress of all disks of an import and measures speed. */
export class ProgressTracker {
  readonly #clock: Clock;
  readonly #disks: DiskDisplay[];
  readonly #copied: number[];
  readonly #totals: (number | undefined)[];
  #meter: RateMeter | undefined;
  /** By disk, of the phase it is in. */
  readonly #diskMeters = new Map<number, { readonly phase: DiskProgress['phase']; readonly meter: RateMeter }>();

  constructor(clock: Clock, disks: readonly TrackedDisk[]) {
    this.#clock = clock;
    this.#copied = disks.map(() => 0);
    this.#totals = disks.map((disk) => disk.dataBytes);
    this.#disks = disks.map((disk, index) => ({
      index,
      name: disk.name,
      phase: 'waiting',
      doneBytes: 0,
      totalBytes: disk.dataBytes,
      bytesPerSecond: undefined,
      etaMs: undefined,
    }));
  }

  update(index: number, progress: DiskProgress): ImportProgress {
    const disk = this.#disks[index];
    if (disk === undefined) throw new Error(`there is no disk ${index}`);
    if (progress.phase === 'copy' || progress.phase === 'done') {
      this.#copied[index] = progress.doneBytes;
      if (progress.totalBytes !== undefined) this.#totals[index] = progress.totalBytes;
    }
    const meter = this.#meterFor(index, progress);
    meter.update(progress.doneBytes);
    const isMoving = progress.phase === 'copy' || progress.phase === 'verify';
    this.#disks[index] = {
      ...disk,
      ...progress,
      bytesPerSecond: isMoving ? meter.bytesPerSecond : undefined,
      etaMs: isMoving ? meter.etaMs(progress.doneBytes, progress.totalBytes) : undefined,
    };
    return { disks: [...this.#disks], overall: this.#overall() };
  }

  #overall(): Display {
    const doneBytes = this.#copied.reduce((sum, bytes) => sum + bytes, 0);
    const totalBytes = sumUnlessUnknown(this.#totals);
    // Begins with the first news, so that what an earlier run copied does not count as speed.
    this.#meter ??= new RateMeter(this.#clock, doneBytes);
    this.#meter.update(doneBytes);
    return {
      doneBytes,
      totalBytes,
      bytesPerSecond: this.#meter.bytesPerSecond,
      etaMs: this.#meter.etaMs(doneBytes, totalBytes),
    };
  }

  #meterFor(index: number, { phase, doneBytes }: DiskProgress): RateMeter {
    const kept = this.#diskMeters.get(index);
    if (kept?.phase === phase) return kept.meter;
    const meter = new RateMeter(this.#clock, doneBytes);
    this.#diskMeters.set(index, { phase, meter });
    return meter;
  }
}

/** Several machines as one display: their disks under the machine's name, and sums over all. */
export function combineProgress(
  machines: readonly { readonly name: string; readonly progress: ImportProgress }[],
): ImportProgress {
  const disks = machines.flatMap(({ name, progress }) =>
    progress.disks.map((disk) => ({ ...disk, name: `${name}/${disk.name}` })),
  );
  const overalls = machines.map(({ progress }) => progress.overall);
  const doneBytes = overalls.reduce((sum, each) => sum + each.doneBytes, 0);
  const totalBytes = sumUnlessUnknown(overalls.map((each) => each.totalBytes));
  const rates = overalls.flatMap((each) => each.bytesPerSecond ?? []);
  const bytesPerSecond = rates.length === 0 ? undefined : rates.reduce((sum, each) => sum + each, 0);
  const isKnown = totalBytes !== undefined && bytesPerSecond !== undefined && bytesPerSecond > 0;
  const etaMs = isKnown ? (Math.max(0, totalBytes - doneBytes) / bytesPerSecond) * 1000 : undefined;
  return {
    disks: disks.map((disk, index) => ({ ...disk, index })),
    overall: { doneBytes, totalBytes, bytesPerSecond, etaMs },
  };
}

function sumUnlessUnknown(values: readonly (number | undefined)[]): number | undefined {
  return values.reduce<number | undefined>(
    (sum, each) => (sum === undefined || each === undefined ? undefined : sum + each),
    0,
  );
}
