import { describe, expect, test } from 'vitest';
import type { DiskPlan } from '../plan-record.ts';
import { claimMebibytes, claimObject } from './claim.ts';

const MIB = 1024 * 1024;
const disk: DiskPlan = {
  index: 1,
  id: 'd',
  name: 'disk 2',
  virtualSizeBytes: 10 * MIB,
  claimName: 'web-disk-1',
  storageClass: 'fast',
  accessMode: 'ReadWriteMany',
  volumeMode: 'Block',
};

describe('the claim of a disk', () => {
  test('is an ordinary volume with labels and no owner', () => {
    expect(claimObject('uid-1', 'vms', disk)).toEqual({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: {
        name: 'web-disk-1',
        namespace: 'vms',
        labels: {
          'migration.harvesterhci.io/import-uid': 'uid-1',
          'app.kubernetes.io/managed-by': 'airlift',
          'migration.harvesterhci.io/disk': '1',
          'migration.harvesterhci.io/imported': 'true',
        },
      },
      spec: {
        accessModes: ['ReadWriteMany'],
        volumeMode: 'Block',
        storageClassName: 'fast',
        resources: { requests: { storage: '10Mi' } },
      },
    });
  });

  test('leaves the class to the cluster where none is named', () => {
    const { storageClass: _, ...rest } = disk;
    expect(claimObject('uid-1', 'vms', rest).spec).not.toHaveProperty('storageClassName');
  });

  test.each([
    [1, 'Block', 1],
    [MIB, 'Block', 1],
    [MIB + 1, 'Block', 2],
    [100 * MIB, 'Filesystem', 107],
    [1024 * 1024 * MIB, 'Filesystem', 1_115_507],
  ] as const)('%i bytes on %s take %i MiB', (virtualSizeBytes, volumeMode, mebibytes) => {
    expect(claimMebibytes({ virtualSizeBytes, volumeMode })).toBe(mebibytes);
  });
});
