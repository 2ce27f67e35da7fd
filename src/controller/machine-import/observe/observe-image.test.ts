import { describe, expect, test } from 'vitest';
import type { VirtualMachineImage } from '../../../api/platform-kinds.ts';
import type { DiskPlan, ImagePlan } from '../plan-record.ts';
import { readImage } from './observe-image.ts';

const plan = (more: Partial<ImagePlan> = {}): DiskPlan & { readonly image: ImagePlan } => ({
  index: 0,
  id: 'd',
  name: 'disk 1',
  virtualSizeBytes: 5_000_001,
  claimName: 'image-x-0',
  accessMode: 'ReadWriteMany',
  volumeMode: 'Block',
  image: { name: 'image-x-0', displayName: 'd', fileName: 'f', backend: 'backingimage', isAdopted: false, ...more },
});

const image = (status: VirtualMachineImage['status']): VirtualMachineImage => ({
  apiVersion: 'harvesterhci.io/v1beta1',
  kind: 'VirtualMachineImage',
  metadata: { name: 'image-x-0' },
  ...(status === undefined ? {} : { status }),
});
const is = (type: string, status: 'True' | 'False' | 'Unknown', message = '', reason = '') => ({
  type,
  status,
  message,
  reason,
});

/** As Harvester's controllers write them, release by release. */
describe('what Harvester says of an image', () => {
  test.each<[string, VirtualMachineImage['status'], object]>([
    ['nothing yet', undefined, { state: 'importing' }],
    [
      'that it has begun',
      { conditions: [is('Initialized', 'True'), is('Imported', 'Unknown')] },
      { state: 'importing' },
    ],
    [
      'how far it is',
      { progress: 42 },
      { state: 'importing', message: 'VirtualMachineImage "image-x-0": 42 % imported' },
    ],
    [
      'that it tries again',
      { progress: 3, conditions: [is('RetryLimitExceeded', 'False', 'retry attempted 1/3 failed due to error: EOF')] },
      { state: 'importing', message: expect.stringContaining('retry attempted 1/3') },
    ],
    [
      'that it gave up (1.2.0 and later)',
      { conditions: [is('Imported', 'False', 'no space'), is('RetryLimitExceeded', 'True', 'no space')] },
      { state: 'failed', message: 'VirtualMachineImage "image-x-0": no space' },
    ],
    [
      'that it could not even begin',
      { conditions: [is('Initialized', 'False', 'got 404'), is('RetryLimitExceeded', 'True')] },
      { state: 'failed', message: 'VirtualMachineImage "image-x-0": got 404' },
    ],
    [
      'that it failed (before 1.2.0)',
      { conditions: [is('Imported', 'False', 'checksum', 'ImportFailed')] },
      { state: 'failed', message: expect.stringContaining('checksum') },
    ],
    [
      'that it is there',
      { size: 1, virtualSize: 5_000_192, storageClassName: 'lh-x', conditions: [is('Imported', 'True')] },
      { state: 'imported' },
    ],
    [
      'that it is there, and not yet of which class (Longhorn)',
      { conditions: [is('Imported', 'True')] },
      { state: 'importing' },
    ],
    [
      'that it is there, of another size than the disk',
      { virtualSize: 5_000_704, storageClassName: 'lh-x', conditions: [is('Imported', 'True')] },
      { state: 'failed', message: expect.stringContaining('5000704 bytes, and this disk has 5000192') },
    ],
    [
      'that it is there, and nothing of its size (before 1.3)',
      { size: 1, storageClassName: 'lh-x', conditions: [is('Imported', 'True')] },
      { state: 'imported' },
    ],
  ])('%s', (_, status, expected) => {
    expect(readImage(image(status), plan())).toMatchObject(expected);
  });

  test("CDI's images have no class of their own", () => {
    const status = { conditions: [is('Imported', 'True')] };
    expect(readImage(image(status), plan({ backend: 'cdi' })).state).toBe('imported');
  });

  test('what the old controller made is taken at the size it has', () => {
    const status = { virtualSize: 1, storageClassName: 'lh-x', conditions: [is('Imported', 'True')] };
    expect(readImage(image(status), plan({ isAdopted: true })).state).toBe('imported');
  });
});
