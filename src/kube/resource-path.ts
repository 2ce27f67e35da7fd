import type { ObjectRef, ResourceKind } from '../domain/kubernetes-object.ts';
import { ProblemError } from '../domain/problems.ts';
import type { ListOptions } from '../ports/cluster.ts';

/** Where all objects of a kind are, of one namespace or of all (https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris). */
export function collectionPath(kind: ResourceKind, namespace: string | undefined): string {
  const { apiVersion, plural, isNamespaced } = kind;
  // The core group has an address of its own.
  const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  if (!isNamespaced || namespace === undefined) return `${group}/${plural}`;
  return `${group}/namespaces/${segment(kind, namespace)}/${plural}`;
}

/** @throws ProblemError `ClusterObjectInvalid` for what cannot be a name or namespace */
export function objectPath(kind: ResourceKind, { namespace, name }: ObjectRef, subresource?: string): string {
  const collection = collectionPathOfOne(kind, namespace);
  return `${collection}/${segment(kind, name)}${subresource === undefined ? '' : `/${subresource}`}`;
}

/** Where a new object goes. */
export function collectionPathOfOne(kind: ResourceKind, namespace: string | undefined): string {
  if (kind.isNamespaced && namespace === undefined) {
    throw new ProblemError('ClusterObjectInvalid', `${kind.kind}: metadata.namespace: Required value`);
  }
  return collectionPath(kind, namespace);
}

export function selectorsOf({ labels, fields }: ListOptions): Record<string, string> {
  const join = (wanted: Readonly<Record<string, string>>) =>
    Object.entries(wanted)
      .map(([name, value]) => `${name}=${value}`)
      .join(',');
  return {
    ...(labels && Object.keys(labels).length > 0 ? { labelSelector: join(labels) } : {}),
    ...(fields && Object.keys(fields).length > 0 ? { fieldSelector: join(fields) } : {}),
  };
}

/** Names come from objects that others wrote: none may lead to another address. */
function segment(kind: ResourceKind, name: string): string {
  if (name === '' || name === '.' || name === '..' || /[/%?#]/.test(name)) {
    throw new ProblemError(
      'ClusterObjectInvalid',
      `${kind.kind}: metadata.name: Invalid value: ${JSON.stringify(name)}`,
    );
  }
  return encodeURIComponent(name);
}
