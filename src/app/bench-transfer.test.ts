import { describe, expect, test } from 'vitest';
import type { Disk } from '../domain/machine.ts';
import type { DiskReader } from '../ports/disk-reader.ts';
import type { MeasureSourceOptions, SourceRates } from '../ports/measure.ts';
import type { Source } from '../ports/source.ts';
import type { Target } from '../ports/target.ts';
import { linuxBiosMachine } from '../testing/kubevirt/sample-machines.ts';
import { buildSyntheticDisk, syntheticReader } from '../testing/synthetic-disk.ts';
import { TickingClock } from '../testing/ticking-clock.ts';
import { benchTransfer } from './bench-transfer.ts';

const MIB = 1024 * 1024;
const second = (bytes: number) => ({ bytes, ms: 1_000 });
const rates: SourceRates = {
  read: second(10 * MIB),
  decode: second(100 * MIB),
  hash: second(100 * MIB),
  lanes: 2,
  expansion: 3,
};

async function bench(world: {
  disks?: Partial<Disk>[];
  isStreamed?: boolean;
  rates?: SourceRates | undefined;
  target?: Partial<Target>;
}) {
  const clock = new TickingClock(0);
  const seen = { opened: [] as string[], times: [] as MeasureSourceOptions[] };
  const disks = (world.disks ?? [{}]).map((each, index) => ({
    id: `d${index}`,
    name: `disk ${index}`,
    fileName: `${index}.vmdk`,
    virtualSizeBytes: (index + 1) * MIB,
    ...each,
  }));
  const source: Source = {
    kind: 'ova',
    location: 'app.ova',
    isStreamed: world.isStreamed ?? false,
    async *listMachines() {},
    inspect: async () => ({ ...linuxBiosMachine, disks }),
    async *preflight() {},
    openDisk: async (_machine, { id, virtualSizeBytes }) => {
      seen.opened.push(id);
      return syntheticReader(buildSyntheticDisk({ virtualSizeBytes, density: 1 }));
    },
    [Symbol.asyncDispose]: async () => {},
  };
  const target: Target = {
    kind: 'dir',
    location: 'dir:/out',
    diskFormat: 'raw',
    async *preflight() {},
    openMachine: () => Promise.reject(new Error('a bench opens no machine')),
    openProbe: async () => ({
      write: async (_offset, bytes) => clock.advance(bytes.length / MIB),
      flush: async () => {},
      read: async (_offset, into) => clock.advance(into.length / MIB),
      [Symbol.asyncDispose]: async () => {},
    }),
    [Symbol.asyncDispose]: async () => {},
    ...world.target,
  };
  const dataPlane = {
    async measureSource(_reader: DiskReader, options: MeasureSourceOptions) {
      seen.times.push(options);
      return 'rates' in world ? world.rates : rates;
    },
  };
  const result = await benchTransfer({ dataPlane, clock }, source, target, { maxMs: 2_000 });
  return { result, seen };
}

describe('benchTransfer', () => {
  test('tells each rate, which one limits, and what the copy makes of it', async () => {
    const { result, seen } = await bench({});
    expect(result).toMatchObject({
      disk: { id: 'd0' },
      limitedBy: 'read',
      targetRates: { write: { bytes: expect.any(Number) } },
    });
    // 10 MiB a second, and each byte unpacks to three.
    expect(result.copyBytesPerSecond).toBeCloseTo(30 * MIB);
    expect(seen.times).toMatchObject([{ readMs: 2_000, decodeMs: 1_000 }]);
  });

  test('measures the largest disk; of a stream the first', async () => {
    const disks = [{ readingOrder: 7 }, { readingOrder: 3 }, { readingOrder: 9 }];
    expect((await bench({ disks })).result.disk.id).toBe('d2');
    expect((await bench({ disks, isStreamed: true })).result.disk.id).toBe('d1');
  });

  test('a target that cannot be measured limits nothing', async () => {
    const { result } = await bench({ target: { openProbe: async () => undefined } });
    expect(result).toMatchObject({ targetRates: undefined, limitedBy: 'read' });
  });

  test('a machine without data has nothing to measure by', async () => {
    const empty = { id: 'e', name: 'e', virtualSizeBytes: MIB };
    await expect(bench({ rates: undefined })).rejects.toMatchObject({ code: 'NothingToMeasure' });
    const without = bench({ disks: [{ ...empty, fileName: undefined as never }] });
    await expect(without).rejects.toMatchObject({ code: 'NothingToMeasure' });
  });
});
