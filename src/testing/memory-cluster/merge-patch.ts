import { type Fields, isFields } from './fields.ts';

/** RFC 7386: fields are merged, null removes, anything else (lists too) takes the place of what was there. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return patch;
  const merged: Record<string, unknown> = isFields(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = mergePatch(merged[name], value);
  }
  return merged satisfies Fields;
}
