import { describe, expect, test } from 'vitest';
import { configMapKind, type ResourceQuota, resourceQuotaKind, type StorageClass } from '../../../api/core-kinds.ts';
import { storageProfileKind } from '../../../api/platform-kinds.ts';
import { ImportJourney } from '../../../testing/import-journey/import-journey.ts';
import { decodePlan } from '../plan-record.ts';

/** What preflight decided of the first disk, or what it found. */
async function plan(options: {
  storageClass?: Partial<StorageClass>;
  spec?: object;
  profile?: object;
  quota?: ResourceQuota['status'];
}) {
  const journey = await ImportJourney.begin({
    storageClass: options.storageClass ?? {},
    neverBinds: () => true,
  });
  if (options.profile !== undefined) {
    journey.cluster.install({ kind: storageProfileKind, hasStatus: true });
    const profile = { apiVersion: 'cdi.kubevirt.io/v1beta1', kind: 'StorageProfile', metadata: { name: 'fast' } };
    await journey.cluster.create(storageProfileKind, profile);
    const status = { claimPropertySets: [options.profile] } as never;
    await journey.cluster.patch(storageProfileKind, { name: 'fast' }, { status }, { subresource: 'status' });
  }
  if (options.quota !== undefined) {
    const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'small', namespace: 'vms' } };
    await journey.cluster.create(resourceQuotaKind, quota);
    const ref = { namespace: 'vms', name: 'small' };
    await journey.cluster.patch(resourceQuotaKind, ref, { status: options.quota as never }, { subresource: 'status' });
  }
  await journey.create('web', options.spec);
  await journey.run(
    'web',
    ({ status }) => status?.importConditions?.some(({ type }) => type === 'PreflightPassed') ?? false,
  );
  const findings = (await journey.get('web')).status?.progress?.findings ?? [];
  for await (const each of journey.cluster.list(configMapKind)) {
    const record = decodePlan(each);
    if (record !== undefined) return { disk: record.disks[0], findings };
  }
  return { disk: undefined, findings };
}
const longhorn = (parameters: Record<string, string>): Partial<StorageClass> => ({
  provisioner: 'driver.longhorn.io',
  parameters,
});

describe('the volume of a disk (ruling 19)', () => {
  test('is RWX block on migratable Longhorn', async () => {
    const { disk, findings } = await plan({ storageClass: longhorn({ migratable: 'true' }) });
    expect(disk).toMatchObject({ storageClass: 'fast', accessMode: 'ReadWriteMany', volumeMode: 'Block' });
    expect(findings).toEqual([]);
  });

  test('is RWO block elsewhere, and what that means is said', async () => {
    const { disk, findings } = await plan({ storageClass: longhorn({}) });
    expect(disk).toMatchObject({ accessMode: 'ReadWriteOnce', volumeMode: 'Block' });
    expect(findings).toMatchObject([{ code: 'LiveMigrationImpossible', severity: 'warning' }]);
  });

  test('is what CDI recommends where there is CDI', async () => {
    const { disk, findings } = await plan({ profile: { accessModes: ['ReadWriteMany'], volumeMode: 'Filesystem' } });
    expect(disk).toMatchObject({ accessMode: 'ReadWriteMany', volumeMode: 'Filesystem' });
    expect(findings).toEqual([]);
  });

  test("is the user's word before anything else, for one disk before all", async () => {
    const spec = {
      target: { volume: { accessMode: 'ReadWriteMany', volumeMode: 'Filesystem' } },
      disks: [{ index: 0, volumeMode: 'Block', claimName: 'root' }],
    };
    const { disk } = await plan({ spec, profile: { accessModes: ['ReadWriteOnce'] } });
    expect(disk).toMatchObject({ accessMode: 'ReadWriteMany', volumeMode: 'Block', claimName: 'root' });
  });

  test('needs a class that is there, or a default one', async () => {
    const { findings } = await plan({ spec: { storageClass: 'slow' } });
    expect(findings).toMatchObject([{ code: 'StorageClassMissing', message: 'there is no StorageClass "slow"' }]);
    const none = await plan({ storageClass: { metadata: { name: 'fast' } } });
    expect(none.findings).toMatchObject([{ code: 'StorageClassMissing', message: expect.stringMatching(/default/) }]);
  });

  test('that the spec wants for a disk the machine has not is told', async () => {
    const { findings } = await plan({ spec: { disks: [{ index: 7, bus: 'scsi' }] } });
    expect(findings).toContainEqual(
      expect.objectContaining({
        code: 'ImportFieldInvalid',
        message: 'spec.disks names disk 7, which the machine does not have',
      }),
    );
  });
});

describe('quotas', () => {
  test.each<[string, Record<string, string>, Record<string, string>, string | undefined]>([
    [
      'enough of everything',
      { 'requests.storage': '2Gi', persistentvolumeclaims: '5' },
      { 'requests.storage': '1Gi' },
      undefined,
    ],
    ['too little storage', { 'requests.storage': '1500Mi' }, { 'requests.storage': '1Gi' }, 'requests.storage'],
    ['too few claims', { persistentvolumeclaims: '3' }, { persistentvolumeclaims: '3' }, 'persistentvolumeclaims'],
    [
      'too little of the class',
      { 'fast.storageclass.storage.k8s.io/requests.storage': '10Mi', 'requests.storage': '1Ti' },
      {},
      'fast.storageclass.storage.k8s.io/requests.storage',
    ],
    ['nothing that counts volumes', { 'requests.cpu': '1' }, { 'requests.cpu': '1' }, undefined],
  ])('with %s', async (_, hard, used, subject) => {
    const { findings } = await plan({ quota: { hard, used }, storageClass: longhorn({ migratable: 'true' }) });
    if (subject === undefined) expect(findings).toEqual([]);
    else expect(findings).toMatchObject([{ code: 'QuotaExceeded', severity: 'blocker', subject }]);
  });
});
