import { type Secret, secretKind } from '../api/core-kinds.ts';
import { FIELD_MANAGER, MANAGED_BY, MANAGED_BY_LABEL } from '../api/literals.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Cluster } from '../ports/cluster.ts';
import {
  certificateFromSecret,
  certificateToSecret,
  type EndpointCertificate,
  renewCertificate,
} from './endpoint/create-certificate.ts';

export interface EndpointSecretOptions {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly name: string;
  /** DNS names and addresses that workers reach the endpoint by. */
  readonly names: readonly string[];
  readonly now: () => number;
}

/**
 * The certificate that the endpoint serves with, kept in a Secret in the controller's own namespace, so that workers of the controller before this one still trust it. Made or renewed
 * when that is due.
 */
export async function loadEndpointCertificate(
  { cluster, namespace, name, names, now }: EndpointSecretOptions,
  options: CallOptions = {},
): Promise<EndpointCertificate> {
  const secret = await cluster.get(secretKind, { namespace, name }, options);
  const stored = certificateFromSecret(valuesOf(secret));
  const certificate = await renewCertificate(stored, { names, now: now() });
  if (certificate === stored) return stored;
  const data = Object.entries(certificateToSecret(certificate)).map(
    ([key, text]) => [key, Buffer.from(text).toString('base64')] as const,
  );
  const next: Secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace, labels: { [MANAGED_BY_LABEL]: MANAGED_BY } },
    type: 'Opaque',
    data: Object.fromEntries(data),
  };
  await cluster.apply(secretKind, next, { ...options, fieldManager: FIELD_MANAGER, force: true });
  return certificate;
}

function valuesOf(secret: Secret | undefined): Record<string, string> {
  const entries = Object.entries(secret?.data ?? {});
  return Object.fromEntries(entries.map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]));
}
