import { isDeepStrictEqual } from 'node:util';
import type { JsonObject, JsonValue } from '../ports/cluster.ts';

/**
 * The JSON merge patch (RFC 7386) that turns one status into another; undefined when they are the same. Lists go as a whole, as merge patches have it; a field that is absent now is
 * removed by null. `undefined` counts as absent.
 */
export function statusPatch(before: object, after: object): JsonObject | undefined {
  const patch = difference(plain(before) as JsonObject, plain(after) as JsonObject);
  return Object.keys(patch).length === 0 ? undefined : patch;
}

function difference(before: JsonObject, after: JsonObject): JsonObject {
  const patch: Record<string, JsonValue> = {};
  for (const key of Object.keys(before)) if (after[key] === undefined && before[key] !== null) patch[key] = null;
  for (const [key, value] of Object.entries(after)) {
    const old = before[key];
    if (value === undefined || isDeepStrictEqual(old, value)) continue;
    if (!isObject(old) || !isObject(value)) {
      patch[key] = value;
      continue;
    }
    const inner = difference(old, value);
    if (Object.keys(inner).length > 0) patch[key] = inner;
  }
  return patch;
}

/** As JSON has it. */
function plain(value: object): unknown {
  return JSON.parse(JSON.stringify(value));
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
