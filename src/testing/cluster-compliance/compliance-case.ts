import { setTimeout as sleep } from 'node:timers/promises';
import type { ConfigMap } from '../../api/core-kinds.ts';
import type { KubernetesObject, ObjectRef, OwnerReference, ResourceKind } from '../../domain/kubernetes-object.ts';
import type { Cluster } from '../../ports/cluster.ts';

/** A kind with a status subresource. */
export interface Widget extends KubernetesObject {
  readonly spec?: { readonly size?: number; readonly tags?: readonly string[] };
  readonly status?: { readonly phase?: string; readonly conditions?: readonly WidgetCondition[] };
}

export interface WidgetCondition {
  readonly type: string;
  readonly status: string;
}

export const widgetKind: ResourceKind<Widget> = {
  apiVersion: 'testing.airlift.local/v1',
  kind: 'Widget',
  plural: 'widgets',
  isNamespaced: true,
};

/** How server-side apply tells a widget's conditions apart; its CRD says so by `x-kubernetes-list-type: map`. */
export const conditionsByType = { 'status.conditions': ['type'] };

export const unknownKind: ResourceKind = { ...widgetKind, kind: 'Gadget', plural: 'gadgets' };

export interface ClusterUnderTest extends AsyncDisposable {
  readonly cluster: Cluster;
  /** The same cluster by another connection, whose updates belong to another manager. */
  readonly other: Cluster;
  /** Exists and is empty; `widgetKind` is installed. */
  readonly namespace: string;
}

/** What one test works with: names and labels of its own. */
export class ComplianceCase {
  readonly cluster: Cluster;
  readonly other: Cluster;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly id: string;

  constructor({ cluster, other, namespace }: ClusterUnderTest, id: string) {
    this.cluster = cluster;
    this.other = other;
    this.namespace = namespace;
    this.id = id;
    this.labels = { test: id };
  }

  ref(suffix = 'a'): ObjectRef & { readonly namespace: string } {
    return { namespace: this.namespace, name: `${this.id}-${suffix}` };
  }

  configMap(
    suffix = 'a',
    more: Partial<ConfigMap['metadata']> & { readonly data?: Record<string, string> } = {},
  ): ConfigMap {
    const { data = { colour: 'red' }, ...metadata } = more;
    return {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { ...this.ref(suffix), labels: this.labels, ...metadata },
      data,
    };
  }

  widget(suffix = 'a', spec: Widget['spec'] = { size: 1 }): Widget {
    const { apiVersion, kind } = widgetKind;
    return { apiVersion, kind, metadata: { ...this.ref(suffix), labels: this.labels }, ...(spec ? { spec } : {}) };
  }
}

export function ownerReferenceTo({ apiVersion, kind, metadata }: KubernetesObject): OwnerReference {
  return { apiVersion, kind, name: metadata.name, uid: metadata.uid ?? '' };
}

/** Waits until the value is as it should be, at most 30 s; returns the last one. */
export async function eventually<T>(look: () => Promise<T> | T, isRight: (value: T) => boolean): Promise<T> {
  const untilMs = performance.now() + 30_000;
  while (true) {
    const value = await look();
    if (isRight(value) || performance.now() > untilMs) return value;
    await sleep(20);
  }
}

export async function inParallel<T>(
  count: number,
  items: readonly T[],
  act: (item: T) => Promise<unknown>,
): Promise<void> {
  const left = [...items];
  const work = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await act(item);
  };
  await Promise.all(Array.from({ length: count }, work));
}
