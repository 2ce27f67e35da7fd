import { z } from 'zod';
import type { KubernetesObject, ResourceKind } from '../domain/kubernetes-object.ts';
import { upstream, upstreamSecret } from './fields.ts';
import type { KindDefinition } from './kind-definition.ts';
import { API_VERSION } from './literals.ts';
import { type Read, type Reading, readObject, type Stored } from './read-object.ts';
import { insecureSkipTlsVerify, sourceColumns, sourceStatus } from './source-fields.ts';

const schema = z.object({
  spec: upstream.element('Where vCenter or the ESXi host is.', {
    endpoint: upstream.text('Whole SDK URL, such as `https://vcenter/sdk`.'),
    dc: upstream.text('Name or inventory path of the datacenter; a leading `/` may be left out.'),
    credentials: upstreamSecret('Secret with `username`, `password` and, optionally, `caCert` (PEM).'),
    insecureSkipTLSVerify: insecureSkipTlsVerify,
  }),
  status: sourceStatus,
});

export type StoredVmwareSource = Stored<typeof schema>;
export type VmwareSource = Read<typeof schema>;

export const vmwareSourceKind: ResourceKind<StoredVmwareSource> = {
  apiVersion: API_VERSION,
  kind: 'VmwareSource',
  plural: 'vmwaresources',
  isNamespaced: true,
};

export const vmwareSourceDefinition: KindDefinition = {
  resource: vmwareSourceKind,
  singular: 'vmwaresource',
  shortNames: ['vmwaresrc'],
  columns: sourceColumns('.spec.endpoint'),
  schema,
  summary: 'A datacenter of a vCenter, or an ESXi host.',
};

/** @see readObject */
export function readVmwareSource(stored: KubernetesObject): Reading<VmwareSource> {
  return readObject(schema, stored);
}
