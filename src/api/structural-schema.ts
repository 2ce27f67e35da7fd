import { z } from 'zod';
import { DEFAULT_TEXT, UPSTREAM } from './fields.ts';

/** A schema as a CRD has it (structural: every level has a type, nothing is left to a union). */
export interface StructuralSchema {
  readonly type: 'object' | 'array' | 'string' | 'integer' | 'boolean';
  readonly description?: string;
  readonly nullable?: true;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly items?: StructuralSchema;
  readonly 'x-kubernetes-validations'?: readonly { readonly rule: string; readonly message: string }[];
}

/** A field with what CRD and reference page have to know of it. */
export interface FieldNode {
  readonly type: StructuralSchema['type'];
  readonly description: string;
  /** Whether upstream's CRD has it. */
  readonly isUpstream: boolean;
  readonly isNullable: boolean;
  readonly defaultValue?: unknown;
  readonly defaultText?: string;
  readonly required: readonly string[];
  readonly properties?: Readonly<Record<string, FieldNode>>;
  readonly items?: FieldNode;
  /** What restricts the value, under the names that JSON Schema has for it. */
  readonly limits: Partial<StructuralSchema>;
}

type Json = Readonly<Record<string, unknown>>;

const LIMITS = [
  'enum',
  'pattern',
  'format',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'maxItems',
  'x-kubernetes-validations',
];
const KNOWN = [
  ...LIMITS,
  ...['type', 'description', 'nullable', 'default', 'required', 'properties', 'items', UPSTREAM, DEFAULT_TEXT],
];
const TYPES = ['object', 'array', 'string', 'integer', 'boolean'];

/** @throws Error for what a CRD cannot express, which is a mistake in a schema of ours */
export function readFields(schema: z.ZodType): FieldNode {
  return toNode(z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' }) as Json, '');
}

function toNode(json: Json, path: string): FieldNode {
  const unknown = Object.keys(json).filter((key) => !KNOWN.includes(key));
  if (unknown.length > 0 || !TYPES.includes(json.type as string)) {
    throw new Error(`${path}: no structural schema for ${JSON.stringify(json)}`);
  }
  const { properties, items } = json as { properties?: Record<string, Json>; items?: Json };
  const isUpstream = json[UPSTREAM] === true;
  return {
    type: json.type as FieldNode['type'],
    description: (json.description as string | undefined) ?? '',
    isUpstream,
    isNullable: json.nullable === true,
    ...(json.default === undefined ? {} : { defaultValue: json.default }),
    ...(json[DEFAULT_TEXT] === undefined ? {} : { defaultText: json[DEFAULT_TEXT] as string }),
    required: isUpstream ? [] : ((json.required as string[] | undefined) ?? []),
    ...(properties === undefined
      ? {}
      : { properties: mapValues(properties, (each, key) => toNode(each, `${path}.${key}`)) }),
    ...(items === undefined ? {} : { items: toNode(items, `${path}[]`) }),
    limits: limitsOf(json, isUpstream),
  };
}

function limitsOf(json: Json, isUpstream: boolean): Partial<StructuralSchema> {
  const limits = Object.entries(json).filter(([key, value]) => {
    if (!LIMITS.includes(key)) return false;
    if (isUpstream) return key === 'enum';
    // What zod says of every integer, and its own pattern for a date, are no limits of ours.
    if (key === 'minimum' || key === 'maximum') return Math.abs(value as number) !== Number.MAX_SAFE_INTEGER;
    return !(key === 'pattern' && json.format === 'date-time');
  });
  return Object.fromEntries(limits);
}

/**
 * Upstream's fields come out as upstream's CRD has them: undescribed. A default is given to the server only inside an object of ours: anywhere else it would appear in every object
 * that the old controller stored.
 */
export function toStructuralSchema(node: FieldNode, isInsideOwn = false): StructuralSchema {
  const { type, description, isUpstream, isNullable, defaultValue, required, properties, items, limits } = node;
  return {
    type,
    ...(isUpstream || description === '' ? {} : { description }),
    ...(isNullable ? { nullable: true } : {}),
    ...(isInsideOwn && defaultValue !== undefined ? { default: defaultValue } : {}),
    ...limits,
    ...(required.length === 0 ? {} : { required }),
    ...(properties === undefined
      ? {}
      : { properties: mapValues(properties, (each) => toStructuralSchema(each, !isUpstream)) }),
    ...(items === undefined ? {} : { items: toStructuralSchema(items, !isUpstream) }),
  };
}

function mapValues<V, W>(record: Readonly<Record<string, V>>, map: (value: V, key: string) => W): Record<string, W> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value, key)]));
}
