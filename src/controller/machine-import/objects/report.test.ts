import { expect, test } from 'vitest';
import { configMapKind } from '../../../api/core-kinds.ts';
import { readVirtualMachineImport, type StoredVirtualMachineImport } from '../../../api/virtual-machine-import.ts';
import { importReportSchema } from '../../../app/import-report.ts';
import { ImportJourney, someResult } from '../../../testing/import-journey/import-journey.ts';
import { namesOf } from '../names.ts';
import { ownerOf } from './owner.ts';
import { reportObject } from './report.ts';

const isFinished = ({ status }: StoredVirtualMachineImport) => status?.progress?.phase === 'Finished';

async function reportOf(journey: ImportJourney) {
  const uid = (await journey.get('web')).metadata.uid ?? '';
  return await journey.cluster.get(configMapKind, { namespace: 'vms', name: namesOf(uid).report });
}

test('a finished import has its proof beside it, as the command line writes it', async () => {
  const journey = await ImportJourney.begin();
  await journey.create('web');
  await journey.run('web', isFinished);
  const report = importReportSchema.parse(JSON.parse((await reportOf(journey))?.data?.['report.json'] ?? ''));
  expect(report).toMatchObject({
    airliftVersion: '1.2.3',
    source: 'OvaSource vms/files',
    target: 'kubevirt:vms/web',
    verify: 'readback',
    disks: [{ file: 'web-disk-0', format: 'raw', digest: { root: 'ab'.repeat(32) } }],
  });
  expect(report.fidelity.length).toBeGreaterThan(3);
  expect(Date.parse(report.finishedAt)).toBeGreaterThan(Date.parse(report.startedAt));
});

test('it goes with the import, and a retry makes another one', async () => {
  const journey = await ImportJourney.begin({ machinesGetReady: false });
  await journey.create('web');
  await journey.run('web', ({ status }) => status?.importStatus === 'virtualMachineCreated');
  expect(await reportOf(journey)).toBeUndefined();
  await journey.edit('web', { run: false });
  await journey.run('web', isFinished);
  const first = await reportOf(journey);
  expect(first).toBeDefined();
  await journey.delete('web');
  for (let turns = 0; turns < 12; turns += 1) {
    await journey.step('web');
    await journey.turn();
    journey.cluster.collectGarbage();
  }
  expect((await journey.inventory()).filter((each) => each.startsWith('ConfigMap'))).toEqual([]);
});

test('of a machine with very many sections and settings it still fits into a ConfigMap, roots and all', async () => {
  const journey = await ImportJourney.begin();
  await journey.create('web');
  await journey.run('web', isFinished);
  const { object: machineImport } = readVirtualMachineImport(await journey.get('web'));
  const plan = journey.parts.preflights.values().next().value?.plan;
  if (plan === undefined) throw new Error('no plan');
  const sections = Array.from({ length: 1024 }, () => 'cd'.repeat(32));
  const [disk] = plan.disks;
  if (disk === undefined) throw new Error('no disk');
  const disks = Array.from({ length: 40 }, (_, index) => ({ ...disk, index }));
  const fidelity = Array.from({ length: 2000 }, () => plan.fidelity).flat();
  const results = new Map(
    disks.map((_, index) => [index, { ...someResult, digest: { root: 'ab'.repeat(32), sectionBytes: 1, sections } }]),
  );
  const facts = { machineImport, owner: ownerOf(machineImport), results, finishedAt: 0, airliftVersion: '1' };
  const text = reportObject({ ...facts, plan: { ...plan, disks, fidelity } }).data?.['report.json'] ?? '';
  expect(Buffer.byteLength(text)).toBeLessThan(1_000_000);
  const report = importReportSchema.parse(JSON.parse(text));
  expect(report.disks.map(({ digest }) => digest?.root)).toEqual(disks.map(() => 'ab'.repeat(32)));
});
