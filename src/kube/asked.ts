import type { ResourceKind } from '../domain/kubernetes-object.ts';

/** What a request is for, in the words of access rights: for messages. */
export interface Asked {
  readonly verb: 'get' | 'list' | 'watch' | 'create' | 'patch' | 'update' | 'delete';
  readonly kind: ResourceKind;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: string | undefined;
}

/** `ConfigMap default/settings`, `configmaps in namespace default`. */
export function describeAsked({ kind, namespace, name, subresource }: Asked): string {
  const part = subresource === undefined ? '' : ` (${subresource})`;
  if (name) return `${kind.kind} ${namespace === undefined ? '' : `${namespace}/`}${name}${part}`;
  return `${kind.plural}${namespace === undefined ? '' : ` in namespace ${namespace}`}${part}`;
}

/** With its group, as `kubectl auth can-i` takes it: `jobs.batch`. */
export function resourceName({ apiVersion, plural }: ResourceKind): string {
  const [group, version] = apiVersion.split('/');
  return version === undefined ? plural : `${plural}.${group}`;
}

/** The command that shows whether a right is there. */
export function canICommand({ verb, kind, namespace, subresource }: Asked, user: string | undefined): string {
  return [
    `kubectl auth can-i ${verb} ${resourceName(kind)}`,
    ...(subresource === undefined ? [] : [`--subresource=${subresource}`]),
    ...(kind.isNamespaced ? [namespace === undefined ? '--all-namespaces' : `--namespace ${namespace}`] : []),
    ...(user === undefined ? [] : [`--as ${user}`]),
  ].join(' ');
}
