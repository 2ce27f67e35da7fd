import type { Job, PersistentVolumeClaim, Pod } from '../api/core-kinds.ts';
import {
  API_VERSION,
  DISK_INDEX_LABEL,
  EPOCH_LABEL,
  IMPORT_UID_LABEL,
  MANAGED_BY,
  MANAGED_BY_LABEL,
} from '../api/literals.ts';
import { openstackSourceKind } from '../api/openstack-source.ts';
import { ovaSourceKind, type StoredOvaSource } from '../api/ova-source.ts';
import {
  dataVolumeKind,
  type VirtualMachine,
  virtualMachineImageKind,
  virtualMachineKind,
} from '../api/platform-kinds.ts';
import { type StoredVirtualMachineImport, virtualMachineImportKind } from '../api/virtual-machine-import.ts';
import { vmwareSourceKind } from '../api/vmware-source.ts';
import { type KubernetesObject, type ResourceKind, refOf } from '../domain/kubernetes-object.ts';
import type { Clock } from '../ports/clock.ts';
import { MemoryCluster } from './memory-cluster.ts';

/** The namespace of everything here. */
export const NAMESPACE = 'vms';

/** With everything installed that imports have to do with. */
export function aClusterFor(clock: Clock): MemoryCluster {
  return new MemoryCluster({
    clock,
    kinds: [
      { kind: virtualMachineImportKind, hasStatus: true },
      { kind: ovaSourceKind, hasStatus: true },
      { kind: vmwareSourceKind, hasStatus: true },
      { kind: openstackSourceKind, hasStatus: true },
      { kind: virtualMachineKind, hasStatus: true },
      { kind: virtualMachineImageKind },
      { kind: dataVolumeKind },
    ],
  });
}

type Progress = NonNullable<NonNullable<StoredVirtualMachineImport['status']>['progress']>;

/** Also its status, which a server would not take at the creation. */
export async function store<T extends KubernetesObject>(
  cluster: MemoryCluster,
  kind: ResourceKind<T>,
  object: T & { readonly status?: unknown },
): Promise<T> {
  const created = await cluster.create(kind, object);
  if (object.status === undefined) return created;
  const patch = JSON.parse(JSON.stringify({ status: object.status }));
  return await cluster.patch(kind, refOf(object), patch, { subresource: 'status' });
}

export interface ImportFacts {
  readonly name?: string;
  readonly namespace?: string;
  readonly spec?: StoredVirtualMachineImport['spec'];
  readonly status?: StoredVirtualMachineImport['status'];
  readonly progress?: Progress;
}

/** Stored, with its status, under a uid of the cluster's. */
export async function storeImport(
  cluster: MemoryCluster,
  facts: ImportFacts = {},
): Promise<StoredVirtualMachineImport> {
  const { name = 'web01', namespace = NAMESPACE, spec, progress } = facts;
  const created = await cluster.create(virtualMachineImportKind, {
    apiVersion: API_VERSION,
    kind: 'VirtualMachineImport',
    metadata: { name, namespace },
    spec: {
      virtualMachineName: name,
      sourceCluster: { kind: 'OvaSource', apiVersion: API_VERSION, namespace, name: 'files' },
      ...spec,
    },
  });
  if (facts.status === undefined && progress === undefined) return created;
  return await setProgress(cluster, created, progress, facts.status);
}

/** As the controller does it. Progress is about the spec as it is unless it says otherwise. */
export async function setProgress(
  cluster: MemoryCluster,
  stored: StoredVirtualMachineImport,
  progress: Progress | undefined,
  status: StoredVirtualMachineImport['status'] = {},
): Promise<StoredVirtualMachineImport> {
  const { name, namespace } = stored.metadata;
  const now = await cluster.get(virtualMachineImportKind, { name, namespace });
  const told = progress && { observedGeneration: now?.metadata.generation ?? 0, ...progress };
  const patch = JSON.parse(JSON.stringify({ status: { ...status, ...(told && { progress: told }) } }));
  return await cluster.patch(virtualMachineImportKind, { name, namespace }, patch, { subresource: 'status' });
}

export function aSource(facts: Partial<StoredOvaSource> = {}): StoredOvaSource {
  return {
    apiVersion: API_VERSION,
    kind: 'OvaSource',
    metadata: { name: 'files', namespace: NAMESPACE },
    spec: { url: 'https://files.example/web01.ova' },
    ...facts,
  };
}

/** Labels of what this import made. */
export function madeBy(importUid: string | undefined, disk?: number, epoch?: number): Record<string, string> {
  return {
    [IMPORT_UID_LABEL]: importUid ?? '',
    [MANAGED_BY_LABEL]: MANAGED_BY,
    ...(disk === undefined ? {} : { [DISK_INDEX_LABEL]: String(disk) }),
    ...(epoch === undefined ? {} : { [EPOCH_LABEL]: String(epoch) }),
  };
}

export function aJob(name: string, labels: Record<string, string>, status: Job['status'] = {}): Job {
  return { apiVersion: 'batch/v1', kind: 'Job', metadata: { name, namespace: NAMESPACE, labels }, status };
}

export function aPod(name: string, labels: Record<string, string>, facts: Pick<Pod, 'spec' | 'status'> = {}): Pod {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: NAMESPACE, labels }, ...facts };
}

export function aClaim(
  name: string,
  labels: Record<string, string>,
  facts: Pick<PersistentVolumeClaim, 'spec' | 'status'> = {},
): PersistentVolumeClaim {
  const metadata = { name, namespace: NAMESPACE, labels };
  return { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata, ...facts };
}

export function aVirtualMachine(
  name: string,
  labels: Record<string, string>,
  claims: readonly string[] = [],
  annotations: Record<string, string> = {},
): VirtualMachine {
  const volumes = claims.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } }));
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata: { name, namespace: NAMESPACE, labels, annotations },
    spec: { template: { spec: { volumes } } },
  };
}
