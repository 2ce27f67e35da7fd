import type { KubernetesObject, ObjectRef, ResourceKind } from '../domain/kubernetes-object.ts';
import { ProblemError } from '../domain/problems.ts';

/**
 * What the server sent as an object, as everybody else gets it: with apiVersion and kind, which items of lists do not have, and without `managedFields`, which are often larger than the
 * rest and which nobody reads.
 * @throws ProblemError `ClusterFailed` for what is no object
 */
export function receivedObject<T extends KubernetesObject>(kind: ResourceKind<T>, value: unknown): T {
  if (!isRecord(value) || !isRecord(value.metadata)) {
    throw new ProblemError('ClusterFailed', `the API sent something else than an object of ${kind.kind}`);
  }
  const { managedFields: _left, ...metadata } = value.metadata;
  // Its kind was asked for, and the server keeps its objects to their schemas.
  return { ...value, apiVersion: kind.apiVersion, kind: kind.kind, metadata } as unknown as T;
}

export interface ReceivedPage {
  readonly items: readonly unknown[];
  /** Of the whole snapshot. */
  readonly version: string;
  /** Leads to the next page. */
  readonly next: string | undefined;
}

export function receivedPage(kind: ResourceKind, value: unknown): ReceivedPage {
  const metadata = isRecord(value) && isRecord(value.metadata) ? value.metadata : {};
  const items = isRecord(value) ? (value.items ?? []) : undefined;
  if (!Array.isArray(items) || typeof metadata.resourceVersion !== 'string') {
    throw new ProblemError('ClusterFailed', `the API sent something else than a list of ${kind.plural}`);
  }
  const { resourceVersion, continue: next } = metadata;
  return { items, version: resourceVersion, next: typeof next === 'string' && next !== '' ? next : undefined };
}

/** By namespace and name, which together hold no other slash. */
export function keyOf({ namespace, name }: ObjectRef): string {
  return `${namespace ?? ''}/${name}`;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
