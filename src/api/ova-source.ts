import { z } from 'zod';
import type { KubernetesObject, ResourceKind } from '../domain/kubernetes-object.ts';
import { upstream, upstreamSecretPointer } from './fields.ts';
import type { KindDefinition } from './kind-definition.ts';
import { API_VERSION } from './literals.ts';
import { type Read, type Reading, readObject, type Stored } from './read-object.ts';
import { insecureSkipTlsVerify, sourceColumns, sourceStatus } from './source-fields.ts';

const schema = z.object({
  spec: upstream.element('Where the appliance is.', {
    url: upstream.text('http or https URL of one `.ova`.'),
    httpTimeoutSeconds: upstream.integerPointer(
      'Seconds that a request may go on without a byte arriving. The old controller took it for the whole download; 0 means no limit to either.',
      { defaultText: '600' },
    ),
    credentials: upstreamSecretPointer(
      'Secret with `username` and `password` (both or neither) and `ca.crt` (PEM), each optional.',
    ),
    insecureSkipTLSVerify: insecureSkipTlsVerify,
  }),
  status: sourceStatus,
});

export type StoredOvaSource = Stored<typeof schema>;
export type OvaSource = Read<typeof schema>;

export const ovaSourceKind: ResourceKind<StoredOvaSource> = {
  apiVersion: API_VERSION,
  kind: 'OvaSource',
  plural: 'ovasources',
  isNamespaced: true,
};

export const ovaSourceDefinition: KindDefinition = {
  resource: ovaSourceKind,
  singular: 'ovasource',
  shortNames: ['ovasrc'],
  columns: sourceColumns('.spec.url'),
  schema,
  summary: 'An appliance (`.ova`) on a web server. One source holds one machine.',
};

/** @see readObject */
export function readOvaSource(stored: KubernetesObject): Reading<OvaSource> {
  return readObject(schema, stored);
}
