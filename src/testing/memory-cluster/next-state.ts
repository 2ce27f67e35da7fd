import type { KubernetesObject, ObjectMeta } from '../../domain/kubernetes-object.ts';
import { type Fields, isSame, without } from './fields.ts';
import { hasGeneration, type ServedKind } from './served-kind.ts';

/** A new object as the server completes it. */
export function newState(
  served: ServedKind,
  sent: KubernetesObject,
  made: { readonly name: string; readonly uid: string; readonly now: string },
): KubernetesObject {
  const { namespace, generateName } = sent.metadata;
  const content = served.hasStatus ? without({ ...sent }, 'status') : { ...sent };
  const kept: ObjectMeta = {
    name: made.name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(generateName === undefined ? {} : { generateName }),
    uid: made.uid,
    creationTimestamp: made.now,
    ...(hasGeneration(served) ? { generation: 1 } : {}),
  };
  return { ...content, apiVersion: sent.apiVersion, kind: sent.kind, metadata: withOwnMeta(kept, sent.metadata) };
}

/**
 * An object after a change: what the server keeps is as before, and the part that the change is not for (the status, or everything but it) too. The same object when nothing
 * changes by that. The version is not set.
 */
export function changedState(
  served: ServedKind,
  before: KubernetesObject,
  wanted: Fields,
  part: 'object' | 'status',
): KubernetesObject {
  const meta =
    part === 'status' ? before.metadata : withOwnMeta(before.metadata, (wanted.metadata ?? {}) as Partial<ObjectMeta>);
  const after: KubernetesObject = {
    ...(part === 'status' ? { ...before, status: wanted.status } : contentOf(served, before, wanted)),
    apiVersion: before.apiVersion,
    kind: before.kind,
    metadata: meta,
  };
  if (isSame(dropUndefined(after), before)) return before;
  const counts = (object: KubernetesObject) =>
    without({ ...object }, 'metadata', ...(served.hasStatus ? ['status'] : []));
  const isCounted = hasGeneration(served) && !isSame(counts(after), counts(before));
  return dropUndefined({
    ...after,
    metadata: isCounted ? { ...meta, generation: (meta.generation ?? 0) + 1 } : meta,
  });
}

function contentOf(served: ServedKind, before: KubernetesObject, wanted: Fields): Fields {
  if (!served.hasStatus) return wanted;
  const { status } = before as Fields & KubernetesObject;
  return { ...without(wanted, 'status'), status };
}

/** Labels, annotations, finalizers and owners are the caller's, all else is the server's. */
function withOwnMeta(before: ObjectMeta, wanted: Partial<ObjectMeta>): ObjectMeta {
  const { labels: _1, annotations: _2, finalizers: _3, ownerReferences: _4, ...kept } = before;
  const { labels, annotations, finalizers, ownerReferences } = wanted;
  return {
    ...kept,
    ...(hasEntries(labels) ? { labels } : {}),
    ...(hasEntries(annotations) ? { annotations } : {}),
    ...(finalizers?.length ? { finalizers } : {}),
    ...(ownerReferences?.length ? { ownerReferences } : {}),
  };
}

function hasEntries(fields: Readonly<Record<string, string>> | undefined): fields is Readonly<Record<string, string>> {
  return fields !== undefined && Object.keys(fields).length > 0;
}

function dropUndefined(object: KubernetesObject): KubernetesObject {
  const entries = Object.entries(object).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as unknown as KubernetesObject;
}
