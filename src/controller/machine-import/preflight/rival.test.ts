import { expect, test } from 'vitest';
import type { StoredVirtualMachineImport } from '../../../api/virtual-machine-import.ts';
import { finishAtOnce, ImportJourney } from '../../../testing/import-journey/import-journey.ts';
import { foreignTo, rivalFor } from './rival.ts';

const isFinished = ({ status }: StoredVirtualMachineImport) => status?.progress?.phase === 'Finished';
const isInConflict = ({ status }: StoredVirtualMachineImport) => status?.progress?.reason === 'ImportConflict';
const isTransferring = ({ status }: StoredVirtualMachineImport) =>
  status?.progress?.disks?.[0]?.phase === 'Transferring';

test('the second import of one machine waits, names the first, and goes on when that is deleted', async () => {
  const journey = await ImportJourney.begin({
    work: async (run, own) => (run.namespace === 'vms' && isHeld ? 'goesOn' : finishAtOnce(run, own)),
  });
  let isHeld = true;
  await journey.create('first', { virtualMachineName: 'web' });
  await journey.run('first', isTransferring);
  // With claims of its own, so that only the machine is wanted by both.
  await journey.create('second', { virtualMachineName: 'web', disks: [{ index: 0, claimName: 'own' }] });
  await journey.run('second', isInConflict);
  const { status } = await journey.get('second');
  expect(status?.progress?.message).toContain('"first"');
  expect(await journey.inventory()).not.toContain('PersistentVolumeClaim own');

  await journey.delete('first');
  for (let turns = 0; turns < 12; turns += 1) {
    await journey.step('first');
    await journey.turn();
    journey.cluster.collectGarbage();
  }
  isHeld = false;
  await journey.run('second', isFinished, 300);
});

test('of two that begin at the same moment one gets the volume', async () => {
  const journey = await ImportJourney.begin();
  for (const name of ['one', 'two']) await journey.create(name, { virtualMachineName: 'web' });
  for (let turns = 0; turns < 3; turns += 1) for (const name of ['one', 'two']) await journey.step(name);
  await journey.run('two', isInConflict);
  await journey.run('one', isFinished);
  // What the first one made is its user's now.
  await journey.run('two', ({ status }) => status?.progress?.reason === 'MachineExists', 300);
});

const summary = {
  uid: 'other',
  namespace: 'vms',
  name: 'first',
  targetName: 'web',
  createdAt: '',
  phase: 'Transferring',
  source: undefined,
  isFinished: false,
  isSettled: false,
};
const objects = (...imports: (typeof summary)[]) => ({ imports: () => imports });
const made = (labels: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'web-disk-0', namespace: 'vms', labels },
});
const UID_LABEL = 'migration.harvesterhci.io/import-uid';

test.each([
  ['an import that is at it', summary, 'ImportConflict'],
  ['an import that is done', { ...summary, isFinished: true }, 'VolumeExists'],
  ['an import that is gone', { ...summary, uid: 'another' }, 'VolumeExists'],
])('what was made by %s is named so', (_, other, code) => {
  const claim = made({ [UID_LABEL]: 'other' });
  expect(foreignTo('mine', claim, 'claim "a"', { objects: objects(other), otherwise: 'VolumeExists' })?.code).toBe(
    code,
  );
});

test('what is our own is not foreign; what nobody labelled is, also to an object without uid', () => {
  const parts = { objects: objects(summary), otherwise: 'VolumeExists' } as const;
  expect(foreignTo('mine', made({ [UID_LABEL]: 'mine' }), 'claim', parts)).toBeUndefined();
  expect(foreignTo('mine', made({}), 'claim', parts)?.code).toBe('VolumeExists');
  expect(foreignTo(undefined, made({}), 'claim', parts)?.code).toBe('VolumeExists');
});

test('a rival wants the same name in the same namespace, and is not over', () => {
  const machine = { namespace: 'vms', name: 'web' };
  expect(rivalFor('mine', machine, objects(summary))).toBe(summary);
  expect(rivalFor('other', machine, objects(summary))).toBeUndefined();
  expect(rivalFor('mine', { ...machine, namespace: 'else' }, objects(summary))).toBeUndefined();
  expect(rivalFor('mine', { ...machine, name: 'else' }, objects(summary))).toBeUndefined();
  expect(rivalFor('mine', machine, objects({ ...summary, isFinished: true }))).toBeUndefined();
});
