import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { exactlyOneOf, timestamp, upstream } from './fields.ts';
import { readFields, toStructuralSchema } from './structural-schema.ts';

function crdOf(schema: z.ZodType) {
  return toStructuralSchema(readFields(schema));
}

describe('toStructuralSchema', () => {
  test.each([
    [upstream.text('A name.'), { type: 'string', nullable: true }],
    [upstream.text('A name.', { enum: ['a', ''] }), { type: 'string', nullable: true, enum: ['a', ''] }],
    [upstream.integer('A number.', { defaultText: '30' }), { type: 'integer' }],
    [upstream.integerPointer('A number.'), { type: 'integer', nullable: true }],
    [upstream.booleanPointer('A flag.'), { type: 'boolean', nullable: true }],
    [
      upstream.list('Some.', upstream.element('One.', { name: upstream.text('A name.') })),
      {
        type: 'array',
        nullable: true,
        items: { type: 'object', properties: { name: { type: 'string', nullable: true } } },
      },
    ],
    [
      upstream.struct('A pair.', { a: upstream.integer('A.') }),
      { type: 'object', properties: { a: { type: 'integer' } } },
    ],
    [
      upstream.structPointer('A pair.', { a: upstream.integer('A.') }),
      { type: 'object', nullable: true, properties: { a: { type: 'integer' } } },
    ],
  ])("a field of upstream's comes out bare (%#)", (schema, expected) => {
    expect(crdOf(schema)).toEqual(expected);
  });

  test.each([
    [
      z.string().regex(/^a+$/).max(63).describe('As.'),
      { type: 'string', pattern: '^a+$', maxLength: 63, description: 'As.' },
    ],
    [z.int().min(0).describe('A number.'), { type: 'integer', minimum: 0, description: 'A number.' }],
    [z.int().describe('A number.'), { type: 'integer', description: 'A number.' }],
    [z.enum(['a', 'b']).optional().describe('One.'), { type: 'string', enum: ['a', 'b'], description: 'One.' }],
    [timestamp('When.'), { type: 'string', format: 'date-time', description: 'When.' }],
    [
      z.array(z.string()).max(3).describe('Some.'),
      { type: 'array', maxItems: 3, items: { type: 'string' }, description: 'Some.' },
    ],
  ])('a field of ours comes out with what restricts it (%#)', (schema, expected) => {
    expect(crdOf(schema)).toEqual(expected);
  });

  test('a variant is a rule that the server can evaluate', () => {
    const variant = exactlyOneOf(z.object({ a: z.object({}).optional(), b: z.object({}).optional() }), ['a', 'b']);
    expect(crdOf(variant.prefault({ a: {} }).meta({ description: 'Which.' }))).toEqual({
      type: 'object',
      description: 'Which.',
      properties: { a: { type: 'object', properties: {} }, b: { type: 'object', properties: {} } },
      'x-kubernetes-validations': [
        {
          rule: '[has(self.a), has(self.b)].filter(given, given).size() == 1',
          message: 'give exactly one of a, b',
        },
      ],
    });
  });

  test("a default is the server's affair only inside an object of ours", () => {
    const flag = z.boolean().default(true).describe('A flag.');
    const spec = upstream.element('Spec.', {
      flag,
      own: z.object({ flag }).prefault({}).meta({ description: 'Ours.' }),
    });
    expect(crdOf(spec).properties).toEqual({
      flag: { type: 'boolean', description: 'A flag.' },
      own: {
        type: 'object',
        description: 'Ours.',
        properties: { flag: { type: 'boolean', default: true, description: 'A flag.' } },
      },
    });
  });

  test('what a CRD cannot express is noticed when it is written', () => {
    expect(() => crdOf(z.object({ either: z.union([z.string(), z.int()]) }))).toThrow('.either: no structural schema');
    expect(() => crdOf(z.object({ many: z.record(z.string(), z.string()) }))).toThrow('.many');
  });
});
