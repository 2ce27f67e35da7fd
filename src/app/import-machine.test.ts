import { describe, expect, test } from 'vitest';
import type { Finding } from '../domain/finding.ts';
import type { Disk, Machine } from '../domain/machine.ts';
import { type ProblemCode, ProblemError } from '../domain/problems.ts';
import { FairSlots } from '../lib/fair-slots.ts';
import type { ExpectedDigest } from '../ports/image-file.ts';
import type { Source } from '../ports/source.ts';
import type { Target } from '../ports/target.ts';
import type { DataPlane, DiskResult } from '../ports/transfer.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { linuxBiosMachine } from '../testing/kubevirt/sample-machines.ts';
import { MemoryMachineTarget } from '../testing/memory-target.ts';
import { buildSyntheticDisk, syntheticReader } from '../testing/synthetic-disk.ts';
import { importMachine } from './import-machine.ts';
import type { ImportMachineOptions } from './import-parts.ts';
import { importReportSchema } from './import-report.ts';
import { planImport } from './plan-import.ts';

const disk = buildSyntheticDisk({ virtualSizeBytes: 2 ** 20 });

const result: DiskResult = {
  format: 'synthetic',
  virtualSizeBytes: 2 ** 20,
  dataBytes: 1000,
  digest: { root: 'ab', sectionBytes: 4194304, sections: ['ab'] },
  storedDigests: [{ name: 'a.vmdk', algorithm: 'sha256', actual: 'cd' }],
  fetchedBytes: 1000,
  writtenBytes: 1000,
  copyMs: 10,
  verifyMs: 5,
  resumes: 0,
};

interface World {
  readonly machine?: Machine;
  readonly findings?: readonly Finding[];
  readonly failWith?: ProblemCode;
  readonly lateDigests?: readonly ExpectedDigest[];
  readonly storedDigests?: DiskResult['storedDigests'];
  readonly isStreamed?: boolean;
  /** Disks that may be under way at once. */
  readonly places?: number;
  /** What happens while a disk is transferred. */
  readonly meanwhile?: (index: number, signal: AbortSignal | undefined) => Promise<void>;
}

/** One import with everything around it faked; what was asked of whom is recorded. */
async function run(world: World, options: Partial<ImportMachineOptions> = {}) {
  const { machine = linuxBiosMachine, findings = [] } = world;
  const place = new MemoryMachineTarget();
  const opened: string[] = [];
  const transfers: { index: number; format: string }[] = [];
  const seen = { opened, claims: 0, transfers, underWay: 0, mostUnderWay: 0 };
  const source: Source = {
    kind: 'ova',
    location: 'app.ova',
    isStreamed: world.isStreamed ?? false,
    async *listMachines() {},
    inspect: async () => machine,
    async *preflight() {
      yield* findings;
    },
    openDisk: async (_machine: Machine, each: Disk) => {
      opened.push(each.id);
      return syntheticReader(disk);
    },
    ...(world.lateDigests === undefined ? {} : { lateDigests: async () => world.lateDigests ?? [] }),
    [Symbol.asyncDispose]: async () => {},
  };
  const target: Target = {
    kind: 'dir',
    location: 'dir:/out',
    diskFormat: 'raw',
    async *preflight() {},
    openMachine: async () => {
      seen.claims += 1;
      return place;
    },
    [Symbol.asyncDispose]: async () => {},
  };
  const dataPlane: DataPlane = {
    measureSource: async () => undefined,
    compareDisk: async () => [],
    transferDisk: async (reader, { index, onProgress, signal }) => {
      seen.underWay += 1;
      seen.mostUnderWay = Math.max(seen.mostUnderWay, seen.underWay);
      await world.meanwhile?.(index, signal);
      seen.underWay -= 1;
      seen.transfers.push({ index, format: reader.format });
      onProgress?.({ phase: 'copy', doneBytes: 10, totalBytes: 1000 });
      if (world.failWith !== undefined) throw new ProblemError(world.failWith, 'it went wrong');
      return { ...result, ...(world.storedDigests === undefined ? {} : { storedDigests: world.storedDigests }) };
    },
  };
  const plan = await planImport(source, target, { mapping: { networks: new Map() } });
  opened.length = 0;
  const parts = {
    dataPlane,
    clock: new FakeClock(),
    airliftVersion: '0.1.0',
    diskSlots: new FairSlots(world.places ?? 8),
  };
  const outcome = await importMachine(parts, source, target, plan, { verify: 'readback', ...options }).catch(
    (error: unknown) => error,
  );
  return { outcome, place, seen, plan };
}

const withDisks = (...disks: Partial<Disk>[]): Machine => ({
  ...linuxBiosMachine,
  disks: disks.map((each, index) => ({
    id: `d${index}`,
    name: `Disk ${index}`,
    virtualSizeBytes: 2 ** 20,
    fileName: `d${index}.vmdk`,
    ...each,
  })),
});

describe('importMachine', () => {
  test('writes disks, manifest and a report that fits its schema', async () => {
    const { outcome, place } = await run({ machine: withDisks({}, {}) });
    expect(outcome).toMatchObject({
      location: 'memory:machine',
      report: { verify: 'readback', disks: [{ file: 'disk-0.raw' }, { file: 'disk-1.raw' }] },
    });
    expect(place.documents?.map(({ name }) => name)).toEqual(['machine.yaml', 'report.json', 'report.md']);
    const report = place.documents?.find(({ name }) => name === 'report.json')?.text ?? '';
    expect(importReportSchema.safeParse(JSON.parse(report)).error).toBeUndefined();
    expect(place.documents?.find(({ name }) => name === 'machine.yaml')?.text).toContain('kind: VirtualMachine');
  });

  test('a blocker stops it before the target is touched', async () => {
    const blocker: Finding = { severity: 'blocker', code: 'DigestMismatch', message: 'the .ovf was changed' };
    const { outcome, seen } = await run({ findings: [blocker] });
    expect(outcome).toMatchObject({ code: 'DigestMismatch', message: 'the .ovf was changed' });
    expect(seen).toMatchObject({ claims: 0, transfers: [] });
  });

  test.each(['DiskImageCorrupt', 'DigestMismatch', 'VerificationFailed', 'DiskImageTruncated'] as const)(
    '%s, which no retry cures, removes what was made',
    async (code) => {
      const { outcome, place } = await run({ failWith: code });
      expect(outcome).toMatchObject({ code });
      expect(place.isDiscarded).toBe(true);
      expect(place.documents).toBeUndefined();
    },
  );

  test.each([
    'SourceClosedEarly',
    'TargetFull',
    'SourceChanged',
    'PlanChanged',
    'Interrupted',
    'CheckpointUnusable',
  ] as const)('%s keeps what was made, to be continued or discarded by the user', async (code) => {
    const { outcome, place } = await run({ failWith: code });
    expect(outcome).toMatchObject({ code });
    expect(place.isDiscarded).toBe(false);
    expect(place.documents).toBeUndefined();
  });

  test('a disk without a file is made empty, without asking the source', async () => {
    const machine = withDisks({}, {});
    const { fileName: _none, ...empty } = machine.disks[1] as Disk;
    const { seen } = await run({ machine: { ...machine, disks: [machine.disks[0] as Disk, empty] } });
    expect(seen.opened).toEqual(['d0']);
    expect(seen.transfers.toSorted((a, b) => a.index - b.index)).toEqual([
      { index: 0, format: 'synthetic' },
      { index: 1, format: 'empty' },
    ]);
  });

  test('disks are read in the order in which the source passes them and reported in their own', async () => {
    const machine = withDisks({ readingOrder: 5 }, { readingOrder: 1 });
    const { seen, outcome } = await run({ machine, isStreamed: true });
    expect(seen.opened).toEqual(['d1', 'd0']);
    expect(outcome).toMatchObject({ report: { disks: [{ id: 'd0' }, { id: 'd1' }] } });
  });

  test('progress names the file on the target', async () => {
    const names: (string | undefined)[] = [];
    await run({}, { onProgress: ({ disks }) => names.push(disks[0]?.name) });
    expect(names[0]).toBe('disk-0.raw');
  });

  test('skipped verification is a warning in the report', async () => {
    const { outcome } = await run({}, { verify: 'none' });
    expect(outcome).toMatchObject({
      report: { findings: expect.arrayContaining([expect.objectContaining({ code: 'VerificationSkipped' })]) },
    });
  });
});

describe('a manifest that comes after the disks', () => {
  const computed: DiskResult['storedDigests'] = [
    { name: 'a.vmdk', algorithm: 'sha1', actual: '11' },
    { name: 'a.vmdk', algorithm: 'sha256', actual: '22' },
    { name: 'a.vmdk', algorithm: 'sha512', actual: '33' },
  ];
  const late = (hex: string): ExpectedDigest[] => [{ name: 'a.vmdk', storedBytes: 9, algorithm: 'sha1', hex }];

  test('is compared with what was computed meanwhile', async () => {
    const { outcome } = await run({ machine: withDisks({}), lateDigests: late('11'), storedDigests: computed });
    expect(outcome).toMatchObject({
      report: { disks: [{ storedDigests: [{ algorithm: 'sha1', expected: '11', actual: '11' }] }] },
    });
  });

  test('and a difference removes what was made', async () => {
    const { outcome, place } = await run({ machine: withDisks({}), lateDigests: late('99'), storedDigests: computed });
    expect(outcome).toMatchObject({ code: 'DigestMismatch', message: 'a.vmdk has sha1 11; the manifest says 99' });
    expect(place.isDiscarded).toBe(true);
  });

  test('one that mentions nothing leaves one digest for the record', async () => {
    const { outcome } = await run({ machine: withDisks({}), lateDigests: [], storedDigests: computed });
    expect(outcome).toMatchObject({ report: { disks: [{ storedDigests: [{ algorithm: 'sha256', actual: '22' }] }] } });
  });
});

describe('several disks', () => {
  const machine = withDisks({}, {}, {});
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

  test('are transferred at once, as far as there are places', async () => {
    expect((await run({ machine, meanwhile: turn })).seen.mostUnderWay).toBe(3);
    expect((await run({ machine, meanwhile: turn, places: 2 })).seen.mostUnderWay).toBe(2);
  });

  test('of a source that is read in one pass come one after the other', async () => {
    const { seen } = await run({ machine, meanwhile: turn, isStreamed: true });
    expect(seen.mostUnderWay).toBe(1);
    expect(seen.transfers.map(({ index }) => index)).toEqual([0, 1, 2]);
  });

  test('when one fails the others are stopped and awaited, and its failure is the one told', async () => {
    let stopped = 0;
    const meanwhile = async (index: number, signal: AbortSignal | undefined) => {
      await turn();
      if (index === 1) throw new ProblemError('SourceUnreachable', 'no route to host');
      while (signal?.aborted === false) await turn();
      // Cleaning up takes its time.
      for (let count = 0; count < 5; count += 1) await turn();
      stopped += 1;
      signal?.throwIfAborted();
    };
    const { outcome, place } = await run({ machine, meanwhile });
    expect(outcome).toMatchObject({ code: 'SourceUnreachable', message: 'no route to host' });
    expect(stopped).toBe(2);
    expect(place.isDiscarded).toBe(false);
  });

  test('the report has them in the order of the machine, whichever was done first', async () => {
    const meanwhile = async (index: number) => {
      for (let count = 0; count < 3 - index; count += 1) await turn();
    };
    const { outcome, seen } = await run({ machine, meanwhile });
    expect(seen.transfers.map(({ index }) => index)).toEqual([2, 1, 0]);
    expect(outcome).toMatchObject({ report: { disks: [{ id: 'd0' }, { id: 'd1' }, { id: 'd2' }] } });
  });
});
