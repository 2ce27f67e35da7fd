import type { KubernetesObject } from '../../domain/kubernetes-object.ts';
import type { ListOptions } from '../../ports/cluster.ts';
import { isFields } from './fields.ts';

/** Whether an object is among those asked for. */
export function isSelected(object: KubernetesObject, { namespace, labels = {}, fields = {} }: ListOptions): boolean {
  if (namespace !== undefined && object.metadata.namespace !== namespace) return false;
  const has = object.metadata.labels ?? {};
  if (!Object.entries(labels).every(([name, value]) => has[name] === value)) return false;
  return Object.entries(fields).every(([path, value]) => (valueAt(object, path) ?? '') === value);
}

/** `metadata.name`, `involvedObject.uid`. */
function valueAt(object: KubernetesObject, path: string): unknown {
  return path.split('.').reduce<unknown>((value, name) => (isFields(value) ? value[name] : undefined), object);
}
