import { secretKind } from '../../api/core-kinds.ts';
import type { Cluster } from '../../ports/cluster.ts';
import type { ReadSecret } from '../../ports/source-adapter.ts';

/** Reads Secrets live: they are in nobody's memory for longer than it takes to open a source. */
export function readSecretOf(cluster: Cluster): ReadSecret {
  return async (ref, options) => {
    const secret = await cluster.get(secretKind, ref, options);
    if (secret === undefined) return undefined;
    const values = Object.entries(secret.data ?? {}).map(
      ([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')] as const,
    );
    return { version: secret.metadata.resourceVersion ?? '', values: new Map(values) };
  };
}
