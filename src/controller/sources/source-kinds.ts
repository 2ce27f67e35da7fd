import { openstackSourceKind, readOpenstackSource } from '../../api/openstack-source.ts';
import { type OvaSource, ovaSourceKind, readOvaSource } from '../../api/ova-source.ts';
import type { Reading } from '../../api/read-object.ts';
import { readVmwareSource, vmwareSourceKind } from '../../api/vmware-source.ts';
import type { KubernetesObject, ObjectRef, ResourceKind } from '../../domain/kubernetes-object.ts';

export type SourceKindName = 'OvaSource' | 'VmwareSource' | 'OpenstackSource';

export interface SourceRef extends ObjectRef {
  readonly kind: SourceKindName;
}

/** What all kinds of sources have in common. */
export type SourceStatusFields = OvaSource['status'];
type AnySource = KubernetesObject & {
  readonly spec: Pick<OvaSource['spec'], 'insecureSkipTLSVerify'>;
  readonly status: SourceStatusFields;
};

interface SourceKind {
  readonly resource: ResourceKind;
  readonly read: (stored: KubernetesObject) => Reading<AnySource>;
}

export const sourceKinds: Readonly<Record<SourceKindName, SourceKind>> = {
  OvaSource: { resource: ovaSourceKind, read: readOvaSource },
  VmwareSource: { resource: vmwareSourceKind, read: readVmwareSource },
  OpenstackSource: { resource: openstackSourceKind, read: readOpenstackSource },
};

/** `OvaSource/vms/app`: names one of all sources. */
export function sourceKey({ kind, namespace = '', name }: SourceRef): string {
  return `${kind}/${namespace}/${name}`;
}
