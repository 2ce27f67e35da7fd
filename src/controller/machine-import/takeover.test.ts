import { expect, test } from 'vitest';
import { readVirtualMachineImport, virtualMachineImportKind } from '../../api/virtual-machine-import.ts';
import { importInState, upstreamStates } from '../../testing/upstream/objects.ts';
import { historyOf } from './history.ts';

/** Ruling 15. */
const expected: Readonly<Record<string, ReturnType<typeof historyOf>>> = {
  '': 'ours',
  virtualMachineImportValid: 'restart',
  virtualMachineImportInvalid: 'givenUp',
  sourceReady: 'restart',
  disksExported: 'restart',
  diskImageSubmitted: 'restart',
  diskImageFailed: 'restart',
  diskImagesReady: 'imagesReady',
  virtualMachineCreated: 'machineCreated',
  virtualMachineRunning: 'finished',
  VMMigrationFailed: 'givenUp',
};

test.each([...upstreamStates])('an import that the old controller left as "%s"', (state) => {
  const stored = importInState(state, { name: 'old', namespace: 'vms', image: 'image-abc' });
  expect(stored.kind).toBe(virtualMachineImportKind.kind);
  expect(historyOf(readVirtualMachineImport(stored).object)).toBe(expected[state]);
});

test('there is one for each of its states', () => {
  expect([...upstreamStates].toSorted()).toEqual(Object.keys(expected).toSorted());
});
