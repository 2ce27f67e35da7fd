import { describe, expect, test } from 'vitest';
import { namesOf } from '../names.ts';
import type { DiskPlan } from '../plan-record.ts';
import { FINAL_EXIT_CODE, transferJob, type WorkerSettings } from './transfer-job.ts';

const uid = 'uid-1';
const owner = {
  apiVersion: 'migration.harvesterhci.io/v1beta1',
  kind: 'VirtualMachineImport',
  name: 'web',
  uid,
  controller: true,
};
const disk: DiskPlan = {
  index: 0,
  id: 'd',
  name: 'disk 1',
  virtualSizeBytes: 1024,
  claimName: 'web-disk-0',
  accessMode: 'ReadWriteOnce',
  volumeMode: 'Block',
};
const settings: WorkerSettings = {
  image: 'airlift:1',
  endpointUrl: 'https://airlift.example:8443',
  resources: { requests: { cpu: '1', memory: '256Mi' }, limits: { cpu: '2', memory: '384Mi' } },
  userId: 107,
};
const job = (more: Partial<DiskPlan> = {}, own: Partial<WorkerSettings> = {}) =>
  transferJob({ namespace: 'vms', owner, disk: { ...disk, ...more }, epoch: 3 }, { ...settings, ...own });
const podOf = (each: ReturnType<typeof job>) => each.spec?.template?.spec;

describe('the Job of a transfer', () => {
  test('is named after import, disk and epoch, and goes with its import', () => {
    const { metadata } = job();
    expect(metadata.name).toBe(namesOf(uid).job(0, 3));
    expect(metadata.ownerReferences).toEqual([owner]);
    expect(metadata.labels).toMatchObject({
      'migration.harvesterhci.io/disk': '0',
      'migration.harvesterhci.io/epoch': '3',
    });
  });

  test('never makes a second Pod by itself (ruling 16)', () => {
    const { spec } = job();
    expect(spec).toMatchObject({
      backoffLimit: 0,
      podReplacementPolicy: 'Failed',
      podFailurePolicy: { rules: [{ action: 'FailJob', onExitCodes: { values: [FINAL_EXIT_CODE] } }] },
    });
    expect(podOf(job())?.restartPolicy).toBe('Never');
  });

  test('gives the Pod nothing but a token for our endpoint (ruling 17)', () => {
    const pod = podOf(job());
    expect(pod?.automountServiceAccountToken).toBe(false);
    expect(pod?.serviceAccountName).toBeUndefined();
    const [token] = pod?.volumes?.[1]?.projected?.sources ?? [];
    expect(token).toMatchObject({ serviceAccountToken: { audience: 'airlift' } });
    expect(JSON.stringify(pod)).not.toMatch(/secret/i);
  });

  test('passes Pod Security "restricted"', () => {
    const pod = podOf(job());
    expect(pod?.securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 107,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(pod?.containers?.[0]?.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });

  test('is root without privileges only where that was chosen', () => {
    const pod = podOf(job({}, { isRootAllowed: true }));
    expect(pod?.securityContext).toMatchObject({ runAsUser: 0 });
    expect(pod?.securityContext).not.toHaveProperty('runAsNonRoot');
    expect(pod?.containers?.[0]?.securityContext?.capabilities).toEqual({ drop: ['ALL'] });
  });

  test('gets a block volume as a device, a file system mounted', () => {
    const [block] = podOf(job())?.containers ?? [];
    expect(block?.volumeDevices).toEqual([{ name: 'disk', devicePath: '/dev/disk0' }]);
    expect(block?.env).toContainEqual({ name: 'AIRLIFT_VOLUME', value: '/dev/disk0' });
    const [mounted] = podOf(job({ volumeMode: 'Filesystem' }))?.containers ?? [];
    expect(mounted?.volumeDevices).toBeUndefined();
    expect(mounted?.volumeMounts).toContainEqual({ name: 'disk', mountPath: '/disk' });
    expect(mounted?.env).toContainEqual({ name: 'AIRLIFT_VOLUME', value: '/disk' });
  });

  test('takes image, resources, pull secrets, priority and node selector from the configuration', () => {
    const pod = podOf(job({}, { imagePullSecrets: ['pull'], priorityClassName: 'low', nodeSelector: { zone: 'a' } }));
    expect(pod).toMatchObject({
      imagePullSecrets: [{ name: 'pull' }],
      priorityClassName: 'low',
      nodeSelector: { zone: 'a' },
      containers: [{ image: 'airlift:1', imagePullPolicy: 'IfNotPresent', resources: settings.resources }],
    });
  });
});
