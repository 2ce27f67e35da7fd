import { describe, expect, expectTypeOf, test } from 'vitest';
import type { ResourceKind } from '../domain/kubernetes-object.ts';
import { fullObjects, importInState, oddObjects, upstreamStates } from '../testing/upstream/objects.ts';
import { importStatuses } from './literals.ts';
import { readOpenstackSource } from './openstack-source.ts';
import { readOvaSource } from './ova-source.ts';
import {
  readVirtualMachineImport,
  type StoredVirtualMachineImport,
  type VirtualMachineImport,
  virtualMachineImportKind,
} from './virtual-machine-import.ts';
import { readVmwareSource } from './vmware-source.ts';

const readers = {
  VmwareSource: readVmwareSource,
  OpenstackSource: readOpenstackSource,
  OvaSource: readOvaSource,
  VirtualMachineImport: readVirtualMachineImport,
};

function read(kind: string) {
  return readers[kind as keyof typeof readers];
}

function anImport(spec: object, status: object = {}): StoredVirtualMachineImport {
  const { apiVersion, kind } = virtualMachineImportKind;
  return { apiVersion, kind, metadata: { name: 'one', namespace: 'default' }, spec, status };
}

describe("objects of the old controller's", () => {
  test.each(fullObjects.map((object) => [object.kind, object] as const))(
    '%s with every field is read whole',
    (kind, stored) => {
      const { object, findings } = read(kind)(stored);
      expect(findings).toEqual([]);
      // Empty texts are absent; what we fill in besides is our own.
      const withoutEmpty = JSON.parse(JSON.stringify(stored, (_, value) => (value === '' ? undefined : value)));
      expect(object).toMatchObject(withoutEmpty);
    },
  );

  test.each(oddObjects.map((object) => [object.metadata.name, object] as const))(
    '%s is read without a complaint',
    (_, stored) => {
      const { object, findings } = read(stored.kind)(stored);
      expect(findings).toEqual([]);
      expect(JSON.stringify(object)).not.toMatch(/[:[,]null/);
      expect(object.metadata).toEqual(stored.metadata);
    },
  );

  test('a network card of a model that was stored before there was a list is read as it is', () => {
    const spec = { defaultNetworkInterfaceModel: null, networkMapping: [{ networkInterfaceModel: 'tulip' }] };
    const { object, findings } = readVirtualMachineImport(anImport(spec));
    expect(findings).toEqual([]);
    expect(object.spec.defaultNetworkInterfaceModel).toBeUndefined();
    expect(object.spec.networkMapping).toEqual([{ networkInterfaceModel: 'tulip' }]);
  });

  test.each(upstreamStates)('an import in state "%s" keeps its state', (state) => {
    const { object, findings } = readVirtualMachineImport(importInState(state));
    expect(findings).toEqual([]);
    expect(object.status.importStatus ?? '').toBe(state);
  });

  test('the fixtures know the states we know', () => {
    expect([...upstreamStates].filter(Boolean).sort()).toEqual(Object.values(importStatuses).sort());
  });

  test('they run as volumes by default, as ruling 14 has it', () => {
    const { spec } = readVirtualMachineImport(importInState('')).object;
    expect(spec).toMatchObject({ suspend: false, run: true, target: { volume: {} }, transfer: { verify: 'readback' } });
  });
});

describe('our own fields', () => {
  test('are read as they are given', () => {
    const spec = {
      suspend: true,
      retry: '2026-02-03T04:05:06Z',
      target: { volume: { accessMode: 'ReadWriteMany', volumeMode: 'Block' } },
      targetName: 'web-01',
      run: false,
      disks: [
        { id: 'vmdisk1', storageClass: 'fast', accessMode: 'ReadWriteOnce', volumeMode: 'Filesystem', bus: 'sata' },
        { index: 1, claimName: 'web-01-data' },
      ],
      transfer: { verify: 'none', maxRate: '150MB/s', plane: 'datastore-files' },
    };
    const { object, findings } = readVirtualMachineImport(anImport(spec));
    expect(findings).toEqual([]);
    expect(object.spec).toMatchObject(spec);
  });

  test.each([
    [{ targetName: 'Web_01' }, 'spec.targetName'],
    [{ targetName: 'a'.repeat(64) }, 'spec.targetName'],
    [{ target: {} }, 'spec.target'],
    [{ target: { image: {}, dataVolume: {} } }, 'spec.target'],
    [{ target: { volume: { accessMode: 'RWX' } } }, 'spec.target.volume.accessMode'],
    [{ disks: [{ bus: 'sata' }] }, 'spec.disks[0]'],
    [{ disks: [{ index: 0, id: 'a' }] }, 'spec.disks[0]'],
    [{ disks: [{ index: -1 }] }, 'spec.disks[0].index'],
    [{ transfer: { verify: 'maybe' } }, 'spec.transfer.verify'],
    [{ transfer: { maxRate: 'fast' } }, 'spec.transfer.maxRate'],
    [{ transfer: { maxRate: '5' } }, 'spec.transfer.maxRate'],
    [{ suspend: 'no' }, 'spec.suspend'],
  ])('%j is named as %s', (spec, subject) => {
    const { findings } = readVirtualMachineImport(anImport(spec));
    expect(findings[0]).toMatchObject({ severity: 'blocker', code: 'FieldNotUnderstood', subject });
  });

  test('a progress of another version does not hide the rest of the status', () => {
    const status = {
      importStatus: 'sourceReady',
      progress: { phase: 'OfNextYear', percent: '50%', disks: [{ phase: 'Done' }] },
    };
    const { object, findings } = readVirtualMachineImport(anImport({}, status));
    expect(findings.map(({ severity }) => severity)).toEqual(['note', 'note']);
    expect(object.status).toMatchObject({ importStatus: 'sourceReady', progress: { percent: '50%', disks: [] } });
  });
});

test('what was read may be stored', () => {
  expectTypeOf<VirtualMachineImport>().toExtend<StoredVirtualMachineImport>();
  expectTypeOf(virtualMachineImportKind).toExtend<ResourceKind<StoredVirtualMachineImport>>();
  expectTypeOf<VirtualMachineImport['spec']['run']>().toEqualTypeOf<boolean>();
  expectTypeOf<VirtualMachineImport['spec']['folder']>().toEqualTypeOf<string | undefined>();
});
