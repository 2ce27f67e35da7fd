import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { writeStreamOptimized } from '../../formats/vmdk/stream-optimized-writer.ts';
import { openOvaSource } from '../../sources/ova/open-ova-source.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import {
  buildSampleAppliance,
  type EncodeDisk,
  SAMPLE_NAME,
  SAMPLE_VIRTUAL_BYTES,
  sampleGrains,
} from './sample-appliance.ts';

const MIB = 1024 ** 2;

async function sha256(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}

/** Quick: the grains themselves. */
const store: EncodeDisk = async function* ({ grains }) {
  for (const { bytes } of grains) yield bytes;
};

test('the sample is the same each time', async () => {
  expect(await sha256(buildSampleAppliance(store))).toBe(await sha256(buildSampleAppliance(store)));
});

test('its disk has about 40 MiB of data with holes from end to end, by rising offset, and a master boot record', () => {
  const grains = [...sampleGrains()];
  const offsets = grains.map(({ offset }) => offset);
  expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
  expect(new Set(offsets).size).toBe(offsets.length);
  const total = grains.reduce((sum, { bytes }) => sum + bytes.length, 0);
  expect(total / MIB).toBeGreaterThan(39);
  expect(total / MIB).toBeLessThan(42);
  expect(offsets.at(-1)).toBeGreaterThan(SAMPLE_VIRTUAL_BYTES - 2 * MIB);
  expect([...(grains[0]?.bytes.subarray(510, 512) ?? [])]).toEqual([0x55, 0xaa]);
});

test('our own source reads it: one machine, one disk, a manifest, nothing in the way', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'airlift-sample-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'sample.ova');
  const bytes: Uint8Array[] = [];
  for await (const piece of buildSampleAppliance(writeStreamOptimized)) bytes.push(piece);
  await writeFile(path, bytes);

  await using source = await openOvaSource({ location: path, clock: new FakeClock() });
  const machine = await source.inspect(undefined);
  expect(machine).toMatchObject({
    name: SAMPLE_NAME,
    firmware: 'bios',
    memoryBytes: 256 * MIB,
    disks: [{ virtualSizeBytes: SAMPLE_VIRTUAL_BYTES, fileName: `${SAMPLE_NAME}-disk1.vmdk` }],
    nics: [{ network: 'VM Network', model: 'E1000' }],
  });
  const findings = [];
  for await (const finding of source.preflight(machine)) findings.push(finding.code);
  expect(findings).toEqual([]);
  const [disk] = machine.disks;
  if (disk === undefined) throw new Error('the machine has no disk');
  await using reader = await source.openDisk(machine, disk);
  expect(reader).toMatchObject({ virtualSizeBytes: SAMPLE_VIRTUAL_BYTES, oneShot: false });
});
