import { type Fields, isFields, isSame } from './fields.ts';

/** The fields that tell the items of a list apart, by the list's path (`status.conditions`); undefined where a list is one value. */
export type ListKeys = (path: string) => readonly string[] | undefined;

/** A field, an item of a list known by some of its fields, or an item known by itself. */
type Step = string | { readonly item: Fields } | { readonly value: unknown };

/** Where a value lies in an object; text, so that it can be a key. */
export type FieldPath = string;

/** What an object says, value by value. Lists are one value each, unless their items can be told apart. */
export function leavesOf(object: Fields, listKeys: ListKeys): Map<FieldPath, unknown> {
  const leaves = new Map<FieldPath, unknown>();
  collect(object, [], leaves, listKeys);
  return leaves;
}

function collect(value: unknown, steps: readonly Step[], leaves: Map<FieldPath, unknown>, listKeys: ListKeys): void {
  const keys = Array.isArray(value) ? listKeys(fieldsOnly(steps)) : undefined;
  if (Array.isArray(value) && keys !== undefined) {
    for (const item of value) collect(item, [...steps, stepTo(item, keys)], leaves, listKeys);
  } else if (isFields(value) && Object.keys(value).length > 0) {
    for (const [name, each] of Object.entries(value)) collect(each, [...steps, name], leaves, listKeys);
  } else leaves.set(JSON.stringify(steps), value);
}

function stepTo(item: unknown, keys: readonly string[]): Step {
  if (!isFields(item)) return { value: item };
  return { item: Object.fromEntries(keys.map((key) => [key, item[key]])) };
}

function fieldsOnly(steps: readonly Step[]): string {
  return steps.filter((step) => typeof step === 'string').join('.');
}

/** The applied fields over the live ones; items of a list that can be told apart are merged one by one. */
export function mergeFields(
  live: unknown,
  applied: unknown,
  listKeys: ListKeys,
  path: readonly string[] = [],
): unknown {
  if (isFields(applied)) {
    const merged: Record<string, unknown> = isFields(live) ? { ...live } : {};
    for (const [name, value] of Object.entries(applied))
      merged[name] = mergeFields(merged[name], value, listKeys, [...path, name]);
    return merged;
  }
  const keys = Array.isArray(applied) ? listKeys(path.join('.')) : undefined;
  if (!Array.isArray(applied) || keys === undefined) return applied;
  const merged: unknown[] = Array.isArray(live) ? [...live] : [];
  for (const item of applied) {
    const step = stepTo(item, keys);
    const index = merged.findIndex((each) => isSame(stepTo(each, keys), step));
    if (index < 0) merged.push(item);
    else merged[index] = mergeFields(merged[index], item, listKeys, path);
  }
  return merged;
}

/** The object without the value at the path, and without what became empty by that. */
export function removeLeaf(object: Fields, path: FieldPath): Fields {
  const removed = removeAt(object, JSON.parse(path) as Step[]);
  return isFields(removed) ? removed : {};
}

function removeAt(value: unknown, [step, ...rest]: readonly Step[]): unknown {
  if (step === undefined) return undefined;
  if (typeof step === 'string') {
    if (!isFields(value) || !(step in value)) return value;
    const left = removeAt(value[step], rest);
    const { [step]: _removed, ...others } = value;
    if (left !== undefined) return { ...others, [step]: left };
    return Object.keys(others).length > 0 ? others : undefined;
  }
  if (!Array.isArray(value)) return value;
  const items = value.flatMap((item) => {
    if (!isAt(item, step)) return [item];
    const left = removeAt(item, rest);
    return left === undefined ? [] : [left];
  });
  return items.length > 0 ? items : undefined;
}

function isAt(item: unknown, step: Exclude<Step, string>): boolean {
  if ('value' in step) return isSame(item, step.value);
  return isFields(item) && Object.entries(step.item).every(([key, value]) => isSame(item[key], value));
}

/** As the server writes it in messages: `.status.conditions[type="Ready"].status`. */
export function showPath(path: FieldPath): string {
  const show = (step: Step) => {
    if (typeof step === 'string') return `.${step}`;
    if ('value' in step) return `[=${JSON.stringify(step.value)}]`;
    return `[${Object.entries(step.item)
      .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
      .join(',')}]`;
  };
  return (JSON.parse(path) as Step[]).map(show).join('');
}
