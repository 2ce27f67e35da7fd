import type { KubernetesObject } from '../../domain/kubernetes-object.ts';
import { refusals } from './refusals.ts';
import type { ServedKind } from './served-kind.ts';

const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/;
/** etcd's own limit of a request is 1.5 MiB. */
const MOST_BYTES = 1.5 * 1024 * 1024;

/**
 * What every kind is held to. @throws ProblemError `ClusterObjectInvalid`
 * @param before undefined for a new object
 */
export function checkObject(served: ServedKind, object: KubernetesObject, before: KubernetesObject | undefined): void {
  const wrong = whatIsWrong(served, object, before);
  if (wrong !== undefined) throw refusals.invalid(served.kind, object.metadata, wrong);
}

function whatIsWrong(
  served: ServedKind,
  object: KubernetesObject,
  before: KubernetesObject | undefined,
): string | undefined {
  const { name, namespace, labels = {}, finalizers = [] } = object.metadata;
  if (object.apiVersion !== served.kind.apiVersion || object.kind !== served.kind.kind) {
    return `${object.apiVersion} ${object.kind} was sent as ${served.kind.apiVersion} ${served.kind.kind}`;
  }
  if (served.kind.isNamespaced !== (namespace !== undefined)) return `metadata.namespace: Invalid value: ${namespace}`;
  if (name.length > 253 || !NAME.test(name)) return `metadata.name: Invalid value: ${JSON.stringify(name)}`;
  for (const [label, value] of Object.entries(labels)) {
    const short = label.slice(label.indexOf('/') + 1);
    if (short === '' || short.length > 63 || !LABEL.test(short))
      return `metadata.labels: Invalid value: ${JSON.stringify(label)}`;
    if (value.length > 63 || !LABEL.test(value)) return `metadata.labels: Invalid value: ${JSON.stringify(value)}`;
  }
  if (before?.metadata.deletionTimestamp !== undefined) {
    const added = finalizers.find((each) => !before.metadata.finalizers?.includes(each));
    if (added !== undefined)
      return `metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted: ${added}`;
  }
  if (JSON.stringify(object).length > MOST_BYTES) return `Request entity too large: limit is ${MOST_BYTES}`;
  return served.validate?.(object, before);
}
