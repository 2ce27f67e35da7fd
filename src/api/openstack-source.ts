import { z } from 'zod';
import type { KubernetesObject, ResourceKind } from '../domain/kubernetes-object.ts';
import { upstream, upstreamSecret } from './fields.ts';
import type { KindDefinition } from './kind-definition.ts';
import { API_VERSION } from './literals.ts';
import { type Read, type Reading, readObject, type Stored } from './read-object.ts';
import { insecureSkipTlsVerify, sourceColumns, sourceStatus } from './source-fields.ts';

const schema = z.object({
  spec: upstream.element('Where the cloud is.', {
    endpoint: upstream.text('Keystone URL, with or without its version.'),
    region: upstream.text('Region in which every service is looked up.'),
    credentials: upstreamSecret(
      'Secret with `username`, `password`, `project_name`, `domain_name` and, optionally, `ca_cert` (PEM).',
    ),
    uploadImageRetryCount: upstream.integer('How often an image is asked whether it is ready.', {
      defaultText: '30, also for 0 and less',
    }),
    uploadImageRetryDelay: upstream.integer('Seconds between these questions.', {
      defaultText: '10, also for 0 and less',
    }),
    insecureSkipTLSVerify: insecureSkipTlsVerify,
  }),
  status: sourceStatus,
});

export type StoredOpenstackSource = Stored<typeof schema>;
export type OpenstackSource = Read<typeof schema>;

export const openstackSourceKind: ResourceKind<StoredOpenstackSource> = {
  apiVersion: API_VERSION,
  kind: 'OpenstackSource',
  plural: 'openstacksources',
  isNamespaced: true,
};

export const openstackSourceDefinition: KindDefinition = {
  resource: openstackSourceKind,
  singular: 'openstacksource',
  shortNames: ['openstacksrc'],
  columns: sourceColumns('.spec.endpoint'),
  schema,
  summary: 'A project in a region of an OpenStack cloud.',
};

/** @see readObject */
export function readOpenstackSource(stored: KubernetesObject): Reading<OpenstackSource> {
  return readObject(schema, stored);
}
