import { z } from 'zod';

/**
 * What the fields of our kinds are made of. A zod schema is the one source of a kind's types, of its CRD and of its reference page (structural-schema.ts, reference-page.ts read it).
 *
 * Fields of upstream have upstream's schema and nothing more (ruling 12): no restriction, no default, no description in the CRD. Reading them, absent, null and empty are the same, as
 * they are to the Go program that wrote them. Our own fields are ordinary zod.
 */

/** Metadata of a field that upstream's CRD has. Everything without it is ours. */
export const UPSTREAM = 'x-upstream';
/** Metadata: what a field means when it is not given, in words, where that is no plain default value. */
export const DEFAULT_TEXT = 'x-default-text';

interface UpstreamFacts {
  /** Whether upstream's CRD has `nullable: true`: its strings, lists and pointers. */
  readonly nullable: boolean;
  /** Allowed values, where upstream's CRD lists some. Not checked when reading: objects are older than the list. */
  readonly enum?: readonly string[];
  readonly defaultText?: string;
}

function upstreamMeta(description: string, { nullable, defaultText, ...facts }: UpstreamFacts) {
  const text = defaultText === undefined ? {} : { [DEFAULT_TEXT]: defaultText };
  return { description, nullable, [UPSTREAM]: true, ...facts, ...text };
}

type Extra = Omit<UpstreamFacts, 'nullable'>;

/** Upstream's fields by their Go types. */
export const upstream = {
  text: (description: string, extra: Extra = {}) =>
    z
      .string()
      .nullish()
      .transform((value) => (value === '' || value === null ? undefined : value))
      .optional()
      .meta(upstreamMeta(description, { nullable: true, ...extra })),
  integer: (description: string, extra: Extra = {}) =>
    integerOrAbsent().meta(upstreamMeta(description, { nullable: false, ...extra })),
  integerPointer: (description: string, extra: Extra = {}) =>
    integerOrAbsent().meta(upstreamMeta(description, { nullable: true, ...extra })),
  booleanPointer: (description: string, extra: Extra = {}) =>
    z
      .boolean()
      .nullish()
      .transform((value) => value ?? undefined)
      .optional()
      .meta(upstreamMeta(description, { nullable: true, ...extra })),
  list: <E extends z.ZodType>(description: string, element: E, extra: Extra = {}) =>
    z
      .array(element)
      .nullish()
      .transform((value) => value ?? undefined)
      .optional()
      .meta(upstreamMeta(description, { nullable: true, ...extra })),
  struct: <S extends z.ZodRawShape>(description: string, shape: S) =>
    structOrAbsent(shape).meta(upstreamMeta(description, { nullable: false })),
  structPointer: <S extends z.ZodRawShape>(description: string, shape: S) =>
    structOrAbsent(shape).meta(upstreamMeta(description, { nullable: true })),
  /** An element of a list, or `spec` and `status` themselves: always there. */
  element: <S extends z.ZodRawShape>(description: string, shape: S) =>
    z.object(shape).meta(upstreamMeta(description, { nullable: false })),
};

function integerOrAbsent() {
  return z
    .int()
    .nullish()
    .transform((value) => value ?? undefined)
    .optional();
}

function structOrAbsent<S extends z.ZodRawShape>(shape: S) {
  return z
    .object(shape)
    .nullish()
    .transform((value) => value ?? undefined)
    .optional();
}

/** A Go `[]Condition`. Merged by `type`. */
export function upstreamConditions(description: string) {
  return upstream.list(
    description,
    upstream.element('One condition.', {
      type: upstream.text('What it is about; unique in the list.'),
      status: upstream.text('`True`, `False` or `Unknown`.'),
      lastUpdateTime: upstream.text('When it was last written, RFC 3339.'),
      lastTransitionTime: upstream.text('When its status last changed, RFC 3339.'),
      reason: upstream.text('One word in PascalCase: a [problem code](../problems.md) or a word of progress.'),
      message: upstream.text('For people.'),
    }),
  );
}

const secretReferenceShape = {
  name: upstream.text('Name of the Secret.'),
  namespace: upstream.text('Namespace of the Secret; must be given.'),
};

export function upstreamSecret(description: string) {
  return upstream.struct(description, secretReferenceShape);
}

export function upstreamSecretPointer(description: string) {
  return upstream.structPointer(description, secretReferenceShape);
}

/** Of our own objects: exactly one of the named keys is given, in the CRD (a CEL rule) and when reading. */
export function exactlyOneOf<S extends z.ZodRawShape>(schema: z.ZodObject<S>, keys: readonly (keyof S & string)[]) {
  const message = `give exactly one of ${keys.join(', ')}`;
  const rule = `[${keys.map((key) => `has(self.${key})`).join(', ')}].filter(given, given).size() == 1`;
  return schema
    .refine((value) => keys.filter((key) => (value as Record<string, unknown>)[key] !== undefined).length === 1, {
      message,
    })
    .meta({ 'x-kubernetes-validations': [{ rule, message }] });
}

/** Our own: RFC 3339. */
export function timestamp(description: string) {
  return z.iso.datetime({ offset: true }).optional().meta({ description });
}

/** Our own: a number of bytes, seconds or things; never negative. */
export function count(description: string) {
  return z.int().min(0).optional().meta({ description });
}

export function text(description: string) {
  return z.string().optional().meta({ description });
}
