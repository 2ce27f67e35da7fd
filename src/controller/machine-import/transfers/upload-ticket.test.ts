import { describe, expect, test } from 'vitest';
import { configMapKind } from '../../../api/core-kinds.ts';
import { type DataVolume, dataVolumeKind, uploadTokenRequestKind } from '../../../api/platform-kinds.ts';
import type { VirtualMachineImport } from '../../../api/virtual-machine-import.ts';
import type { KubernetesObject, ResourceKind } from '../../../domain/kubernetes-object.ts';
import type { Cluster } from '../../../ports/cluster.ts';
import { ManualClock } from '../../../testing/manual-clock.ts';
import { MemoryCluster } from '../../../testing/memory-cluster.ts';
import { labelsOf } from '../names.ts';
import { readDataVolume } from '../observe/observe-data-volume.ts';
import type { DiskPlan } from '../plan-record.ts';
import { uploadTicketOf } from './upload-ticket.ts';

const UID = 'b6a7c6a2-0000-4000-8000-000000000001';
const machineImport = { metadata: { name: 'web', namespace: 'vms', uid: UID } } as VirtualMachineImport;
const disk = { claimName: 'web-disk-0' } as DiskPlan;
const uploads = { namespace: 'cdi', url: 'https://cdi-uploadproxy.cdi.svc/v1beta1/upload' };
const objects = {
  imports: () => [],
  jobs: () => [],
  pods: () => [],
  claims: () => [],
  machine: () => undefined,
};

/** A cluster in memory in front of which CDI answers requests for tokens. */
async function world(phase: string | undefined, { token = 'a-token', owner = UID } = {}) {
  const clock = new ManualClock();
  const memory = new MemoryCluster({ clock, kinds: [{ kind: dataVolumeKind }] });
  if (phase !== undefined)
    await memory.create(dataVolumeKind, {
      apiVersion: 'cdi.kubevirt.io/v1beta1',
      kind: 'DataVolume',
      metadata: { name: 'web-disk-0', namespace: 'vms', labels: { ...labelsOf(owner) } },
      status: { phase },
    });
  const asked: KubernetesObject[] = [];
  const create = async <T extends KubernetesObject>(kind: ResourceKind<T>, object: T): Promise<T> => {
    if (kind.kind !== uploadTokenRequestKind.kind) throw new Error(`a ${kind.kind} is made`);
    asked.push(object);
    return { ...object, ...(token === '' ? {} : { status: { token } }) };
  };
  const cluster = { get: memory.get.bind(memory), create } as unknown as Cluster;
  const ask = (more: object = {}) => uploadTicketOf({ cluster, objects, uploads, ...more }, machineImport, disk, {});
  return { memory, asked, ask };
}

describe('a ticket for an upload', () => {
  test("is CDI's own token for this claim, with the proxy's address and whom it is vouched for by", async () => {
    const { memory, asked, ask } = await world('UploadReady');
    await memory.create(configMapKind, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'cdi-uploadproxy-signer-bundle', namespace: 'cdi' },
      data: { 'ca-bundle.crt': 'PEM' },
    });
    expect(await ask()).toEqual({ url: uploads.url, token: 'a-token', ca: 'PEM' });
    expect(asked).toEqual([
      {
        apiVersion: 'upload.cdi.kubevirt.io/v1beta1',
        kind: 'UploadTokenRequest',
        metadata: { name: 'web-disk-0', namespace: 'vms' },
        spec: { pvcName: 'web-disk-0' },
      },
    ]);
  });

  test("leaves the rest to the system's certificates where CDI publishes none", async () => {
    const { ask } = await world('UploadReady');
    expect(await ask()).toEqual({ url: uploads.url, token: 'a-token', ca: undefined });
  });

  test.each([undefined, 'Pending', 'UploadScheduled', 'Succeeded', 'Failed'])(
    'is not even asked for while the DataVolume is %s',
    async (phase) => {
      const { asked, ask } = await world(phase);
      expect(await ask()).toBeUndefined();
      expect(asked).toEqual([]);
    },
  );

  test('is never asked for what somebody else made', async () => {
    const { asked, ask } = await world('UploadReady', { owner: 'b6a7c6a2-0000-4000-8000-000000000002' });
    expect(await ask()).toBeUndefined();
    expect(asked).toEqual([]);
  });

  test('that CDI does not give is asked for again', async () => {
    const { ask } = await world('UploadReady', { token: '' });
    await expect(ask()).rejects.toMatchObject({ code: 'UploadNotReady' });
  });

  test('is refused by an installation that sends nothing to CDI', async () => {
    const { ask } = await world('UploadReady');
    await expect(ask({ uploads: undefined })).rejects.toMatchObject({ code: 'TargetKindNotInstalled' });
  });
});

/** As CDI 1.64 writes them. */
describe('what CDI says of a DataVolume', () => {
  test.each<[string, DataVolume['status'], object]>([
    ['nothing yet', undefined, { state: 'importing', takesUpload: false, message: 'DataVolume "d" is not begun' }],
    ['that it waits', { phase: 'PendingPopulation' }, { state: 'importing', takesUpload: false }],
    ['that it takes the disk', { phase: 'UploadReady' }, { state: 'importing', takesUpload: true }],
    ['that it has it', { phase: 'Succeeded', progress: '100.0%' }, { state: 'imported' }],
    [
      'why it does not go on, each thing once',
      {
        phase: 'Pending',
        conditions: [
          { type: 'Bound', status: 'False', message: 'no storage class' },
          { type: 'Ready', status: 'False', message: 'no storage class' },
          { type: 'Running', status: 'False', message: '' },
        ],
      },
      { state: 'importing', message: 'DataVolume "d" is Pending: no storage class' },
    ],
    [
      'that it has given up',
      { phase: 'Failed', conditions: [{ type: 'Running', status: 'False', message: 'evicted' }] },
      { state: 'failed', message: 'DataVolume "d" is Failed: evicted' },
    ],
  ])('%s', (_, status, expected) => {
    const object = { apiVersion: 'cdi.kubevirt.io/v1beta1', kind: 'DataVolume', metadata: { name: 'd' } };
    expect(readDataVolume({ ...object, ...(status === undefined ? {} : { status }) })).toMatchObject(expected);
  });
});
