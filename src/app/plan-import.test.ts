import { describe, expect, test } from 'vitest';
import type { Finding } from '../domain/finding.ts';
import type { Disk } from '../domain/machine.ts';
import { ProblemError } from '../domain/problems.ts';
import type { DiskReader } from '../ports/disk-reader.ts';
import type { MeasureSourceOptions, SourceRates } from '../ports/measure.ts';
import type { Source } from '../ports/source.ts';
import type { Target, TargetNeed } from '../ports/target.ts';
import { linuxBiosMachine } from '../testing/kubevirt/sample-machines.ts';
import { MemoryImageFile } from '../testing/memory-image-file.ts';
import { buildSyntheticDisk, syntheticReader } from '../testing/synthetic-disk.ts';
import { TickingClock } from '../testing/ticking-clock.ts';
import type { MeasureLimits } from './measure-for-plan.ts';
import { planImport } from './plan-import.ts';

const MIB = 1024 * 1024;
const second = (bytes: number) => ({ bytes, ms: 1_000 });
const rates: SourceRates = {
  read: second(1 * MIB),
  decode: second(100 * MIB),
  hash: second(100 * MIB),
  lanes: 2,
  expansion: 2,
};
const small = buildSyntheticDisk({ virtualSizeBytes: MIB, density: 1 });
const large = buildSyntheticDisk({ virtualSizeBytes: 4 * MIB, density: 1 });

interface World {
  readonly rates?: SourceRates | undefined | Error;
  readonly isStreamed?: boolean;
  readonly findings?: readonly Finding[];
  readonly targetFindings?: readonly Finding[];
  readonly target?: Partial<Target> | 'none';
  readonly openDisk?: (disk: Disk) => DiskReader;
  readonly limits?: MeasureLimits | undefined;
}

/** Plans a machine with a small and a large disk, and tells what was measured. */
async function plan(world: World) {
  const clock = new TickingClock(1);
  const seen = { measured: [] as (MeasureSourceOptions & { bytes: number })[], needs: [] as TargetNeed[], open: 0 };
  const disks: Disk[] = [
    { id: 'd0', name: 'small', virtualSizeBytes: MIB, fileName: 'small.vmdk' },
    { id: 'd1', name: 'large', virtualSizeBytes: 4 * MIB, fileName: 'large.vmdk' },
    { id: 'd2', name: 'empty', virtualSizeBytes: 8 * MIB },
  ];
  const source: Source = {
    kind: 'ova',
    location: 'app.ova',
    isStreamed: world.isStreamed ?? false,
    async *listMachines() {},
    inspect: async () => ({ ...linuxBiosMachine, disks }),
    async *preflight() {
      yield* world.findings ?? [];
    },
    openDisk: async (_machine, disk) => {
      seen.open += 1;
      const reader = world.openDisk?.(disk) ?? syntheticReader(disk.id === 'd0' ? small : large);
      const dispose = async () => {
        seen.open -= 1;
      };
      return { ...reader, [Symbol.asyncDispose]: dispose };
    },
    [Symbol.asyncDispose]: async () => {},
  };
  const target: Target = {
    kind: 'dir',
    location: 'dir:/out',
    diskFormat: 'raw',
    async *preflight(need) {
      seen.needs.push(need);
      yield* world.targetFindings ?? [];
    },
    openMachine: () => Promise.reject(new Error('a plan opens no machine')),
    openProbe: async () => ({
      write: async () => {},
      flush: async () => clock.advance(1_000_000),
      read: async () => clock.advance(1_000_000),
      [Symbol.asyncDispose]: async () => {},
    }),
    [Symbol.asyncDispose]: async () => {},
    ...(typeof world.target === 'object' ? world.target : {}),
  };
  const dataPlane = {
    async measureSource(reader: DiskReader, options: MeasureSourceOptions) {
      seen.measured.push({ ...options, bytes: reader.virtualSizeBytes });
      const told = 'rates' in world ? world.rates : rates;
      if (told instanceof Error) throw told;
      return told;
    },
  };
  const measure = { ...('limits' in world ? world.limits : { maxMs: 5_000 }), parts: { dataPlane, clock } };
  const planned = await planImport(source, world.target === 'none' ? undefined : target, {
    mapping: { networks: new Map() },
    ...(measure.maxMs === undefined ? {} : { measure: { ...measure, maxMs: measure.maxMs } }),
  });
  return { planned, seen };
}

describe('planImport', () => {
  test('says what has to come from the source: whole files where they are packed or a manifest covers them', async () => {
    const { planned } = await plan({ limits: undefined });
    const stored = planned.disks.map(({ storedBytes }) => storedBytes);
    expect(stored).toEqual([small.image.length, large.image.length, undefined]);

    const sparse = { ...small, image: Buffer.concat([small.image, Buffer.alloc(8 * MIB)]) };
    const open = (expectedDigests: MemoryImageFile['expectedDigests']) => () =>
      syntheticReader(sparse, { file: new MemoryImageFile(sparse.image, { expectedDigests }) });
    const holes = await plan({ limits: undefined, openDisk: open([]) });
    expect(holes.planned.disks[0]?.storedBytes).toBe(MIB);
    const digest = { name: 'a', storedBytes: sparse.image.length, algorithm: 'sha256', hex: '' } as const;
    const covered = await plan({ limits: undefined, openDisk: open([digest]) });
    expect(covered.planned.disks[0]?.storedBytes).toBe(sparse.image.length);
  });

  test('asks the target about each disk', async () => {
    const { seen } = await plan({ limits: undefined });
    expect(seen.needs).toMatchObject([{ diskSizesBytes: [MIB, 4 * MIB, 8 * MIB], virtualSizeBytes: 13 * MIB }]);
  });

  test('measures nothing unless asked', async () => {
    const { planned, seen } = await plan({ limits: undefined });
    expect(seen.measured).toEqual([]);
    expect(planned).not.toHaveProperty('estimate');
    expect(planned).not.toHaveProperty('notEstimated');
  });
});

describe('the estimate', () => {
  test('stands on the largest disk and on the target, and counts all disks', async () => {
    const { planned, seen } = await plan({});
    expect(seen.measured).toMatchObject([{ bytes: 4 * MIB }]);
    const storedBytes = small.image.length + large.image.length;
    // A round of 1 MiB and one of 2 MiB would not fit, so one was written, in 1000 s.
    expect(planned.estimate).toMatchObject({
      limitedBy: 'write',
      copyMs: expect.closeTo((5 * MIB * 1_000_001) / MIB, -3),
      rates: { read: MIB, decode: 100 * MIB, hash: 200 * MIB },
    });
    const { planned: without } = await plan({ target: 'none' });
    expect(without.estimate).toMatchObject({ limitedBy: 'read', copyMs: (storedBytes / MIB) * 1_000 });
    expect(without.estimate?.rates).not.toHaveProperty('write');
    expect(seen.open).toBe(0);
  });

  test('takes no more time than it was given, source and target together', async () => {
    const { seen } = await plan({});
    const [{ readMs, decodeMs } = { readMs: 0, decodeMs: 0 }] = seen.measured;
    const targetMs = 5_000 * 0.4;
    expect(readMs).toBeGreaterThan(0);
    expect(readMs + 2 * decodeMs + targetMs).toBeLessThan(5_000);
  });

  test.each<[string, World]>([
    ['the source can only be read once', { isStreamed: true }],
    ['stands in the way', { findings: [{ severity: 'blocker', code: 'DigestMismatch', message: 'wrong' }] }],
    ['stands in the way', { targetFindings: [{ severity: 'blocker', code: 'TargetExists', message: 'there' }] }],
    ['nobody knows how much', { openDisk: () => ({ ...syntheticReader(small), allocation: { kind: 'unknown' } }) }],
  ])('nothing is measured where %s', async (why, world) => {
    const { planned, seen } = await plan(world);
    expect(planned.notEstimated).toContain(why);
    expect(planned).not.toHaveProperty('estimate');
    expect(seen.measured).toEqual([]);
  });

  test.each<[string, World]>([
    ['no data came', { rates: undefined }],
    ['DiskImageCorrupt: bad grain', { rates: new ProblemError('DiskImageCorrupt', 'bad grain') }],
    ['SourceStalled: silence', { rates: new ProblemError('SourceStalled', 'silence') }],
    ['TargetFull: quota', { target: { openProbe: () => Promise.reject(new ProblemError('TargetFull', 'quota')) } }],
  ])('"%s" is told; the plan shows the rest all the same', async (why, world) => {
    const { planned, seen } = await plan(world);
    expect(planned.notEstimated).toContain(why);
    expect(planned.disks).toHaveLength(3);
    expect(seen.open).toBe(0);
  });

  test('a user who stops is not given a plan', async () => {
    await expect(plan({ rates: new ProblemError('Interrupted', 'stopped') })).rejects.toMatchObject({
      code: 'Interrupted',
    });
  });

  test('little data is not worth it', async () => {
    const { planned, seen } = await plan({ limits: { maxMs: 1_000, minDataBytes: 6 * MIB } });
    expect(seen.measured).toEqual([]);
    expect(planned).not.toHaveProperty('notEstimated');
    expect((await plan({ limits: { maxMs: 1_000, minDataBytes: 5 * MIB } })).seen.measured).toHaveLength(1);
  });
});
