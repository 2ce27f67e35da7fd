import type { z } from 'zod';
import type { Finding } from '../domain/finding.ts';
import type { KubernetesObject } from '../domain/kubernetes-object.ts';

export type DeepReadonly<T> = T extends readonly (infer E)[]
  ? readonly DeepReadonly<E>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

/** As the API gives it: with nulls, empty texts and without `spec` or `status`. */
export type Stored<S extends z.ZodObject> = KubernetesObject & Partial<DeepReadonly<z.input<S>>>;
/** As it is read: null and empty are absent, defaults are filled in, `spec` and `status` are there. */
export type Read<S extends z.ZodObject> = KubernetesObject & DeepReadonly<z.output<S>>;

export interface Reading<T> {
  readonly object: T;
  /** What was not understood and therefore left out of `object`: blockers for `spec`, notes for `status`. Values are not repeated: an address may hold a password. */
  readonly findings: readonly Finding[];
}

/**
 * Reads what anybody may have stored, by whichever version. Never throws for content: an object that cannot be read must not keep others from being worked on, and its user has to be told.
 */
export function readObject<S extends z.ZodObject>(schema: S, stored: KubernetesObject): Reading<Read<S>> {
  const { spec, status } = stored as { spec?: unknown; status?: unknown };
  const findings: Finding[] = [];
  let fields: Json = { spec: isRecord(spec) ? spec : {}, status: isRecord(status) ? status : {} };
  // Each round leaves out at least one value below `spec` or `status`. These themselves are never at fault: they are records, and nothing in them is required.
  while (true) {
    const result = schema.safeParse(fields);
    if (result.success) {
      return { object: { ...stored, ...result.data } as Read<S>, findings };
    }
    const paths = result.error.issues.map(({ path, message }) => {
      findings.push(toFinding(path, message));
      return existingPart(fields, path);
    });
    if (paths.some((path) => path.length < 2)) throw new Error(`unreadable: ${result.error.message}`);
    fields = withoutPaths(fields, paths);
  }
}

type Path = readonly PropertyKey[];
type Json = Record<string, unknown>;

function toFinding(path: Path, message: string): Finding {
  const [first, ...rest] = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`));
  const subject = `${String(first).slice(1)}${rest.join('')}`;
  const severity = path[0] === 'spec' ? 'blocker' : 'note';
  return { severity, code: 'FieldNotUnderstood', message: `${subject}: ${message}`, subject };
}

/** The deepest part of the path that is there: a value that is required but missing takes its object with it. */
function existingPart(root: unknown, path: Path): Path {
  let value = root;
  for (const [depth, part] of path.entries()) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return path.slice(0, depth);
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return path;
}

/** A copy; elements of lists go as a whole, so that none stays as a hole. */
function withoutPaths(root: Json, paths: readonly Path[]): Json {
  const gone = new Set(paths.map((path) => JSON.stringify(path)));
  const copy = (value: unknown, path: Path): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    const kept = Object.entries(value)
      .map(([key, each]) => ({ key, each, at: [...path, Array.isArray(value) ? Number(key) : key] }))
      .filter(({ at }) => !gone.has(JSON.stringify(at)));
    if (Array.isArray(value)) return kept.map(({ each, at }) => copy(each, at));
    return Object.fromEntries(kept.map(({ key, each, at }) => [key, copy(each, at)]));
  };
  return copy(root, []) as Json;
}

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
