import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { exactlyOneOf, upstream } from './fields.ts';
import { readObject } from './read-object.ts';

const schema = z.object({
  spec: upstream.element('Spec.', {
    name: upstream.text('A name.'),
    size: upstream.integer('A size.'),
    items: upstream.list('Some.', upstream.element('One.', { name: upstream.text('A name.') })),
    pair: upstream.structPointer('A pair.', { name: upstream.text('A name.') }),
    run: z.boolean().default(true),
    target: exactlyOneOf(z.object({ a: z.object({}).optional(), b: z.object({}).optional() }), ['a', 'b']).prefault({
      a: {},
    }),
    disks: z.array(z.object({ id: z.string(), bus: z.enum(['sata', 'scsi']).optional() })).optional(),
  }),
  status: upstream.element('Status.', { done: z.int().min(0).optional() }),
});

function read(fields: object) {
  const metadata = { name: 'one', namespace: 'default', uid: 'u' };
  return readObject(schema, { apiVersion: 'example/v1', kind: 'Thing', metadata, ...fields });
}

describe('readObject', () => {
  test('absent, null and empty are the same', () => {
    const empty = { name: undefined, size: undefined, items: undefined, pair: undefined, disks: undefined };
    const expected = { ...empty, run: true, target: { a: {} } };
    for (const spec of [undefined, null, {}, { name: null, items: null, pair: null, size: null }, { name: '' }]) {
      const { object, findings } = read({ spec });
      expect({ ...object.spec }).toEqual(expected);
      expect(findings).toEqual([]);
    }
  });

  test('metadata is kept as it is, unknown fields are left out', () => {
    const { object } = read({ spec: { name: 'a', unknown: 1 }, status: { done: 3 } });
    expect(object).toMatchObject({
      apiVersion: 'example/v1',
      metadata: { uid: 'u' },
      spec: { name: 'a' },
      status: { done: 3 },
    });
    expect(object.spec).not.toHaveProperty('unknown');
  });

  test.each([
    ['a value of a kind of its own', { spec: { run: 'yes', name: 'a' } }, ['spec.run'], { name: 'a', run: true }],
    ["a value of another kind in upstream's field", { spec: { name: 7, size: 'big' } }, ['spec.name', 'spec.size'], {}],
    [
      'a word that is not in the list',
      { spec: { disks: [{ id: 'a', bus: 'ide' }] } },
      ['spec.disks[0].bus'],
      { disks: [{ id: 'a' }] },
    ],
    [
      'something missing takes its object with it, and no other',
      { spec: { disks: [{ id: 'a' }, { bus: 'sata' }, { id: 'c' }] } },
      ['spec.disks[1].id'],
      { disks: [{ id: 'a' }, { id: 'c' }] },
    ],
    ['two variants', { spec: { target: { a: {}, b: {} } } }, ['spec.target'], { target: { a: {} } }],
    ['a list that is none', { spec: { items: 'many', disks: {} } }, ['spec.items', 'spec.disks'], {}],
  ])('%s is left out and named', (_name, fields, subjects, expected) => {
    const { object, findings } = read(fields);
    expect(findings.map(({ subject }) => subject)).toEqual(subjects);
    expect(findings.every(({ severity, code }) => severity === 'blocker' && code === 'FieldNotUnderstood')).toBe(true);
    expect(object.spec).toMatchObject(expected);
  });

  test('a status that was tampered with is a note: nobody needs to correct it', () => {
    const { object, findings } = read({ status: { done: -1 } });
    expect(findings).toMatchObject([{ severity: 'note', subject: 'status.done' }]);
    expect(object.status.done).toBeUndefined();
  });

  test('a message does not repeat the value, which may hold a password', () => {
    const { findings } = read({ spec: { run: 'https://user:secret@host', disks: [{ id: 'a', bus: 'secret' }] } });
    expect(findings).toHaveLength(2);
    expect(JSON.stringify(findings)).not.toContain('secret');
  });

  test('spec and status may be anything at all', () => {
    for (const spec of ['text', 7, [], true]) expect(read({ spec, status: spec }).object.spec.run).toBe(true);
  });
});
