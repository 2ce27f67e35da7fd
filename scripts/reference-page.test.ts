import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { kindDefinitions } from '../src/api/custom-resource-definition.ts';
import { upstream } from '../src/api/fields.ts';
import type { KindDefinition } from '../src/api/kind-definition.ts';
import { readFields } from '../src/api/structural-schema.ts';
import { pageName, renderReferenceIndex, renderReferencePage } from './reference-page.ts';

const definition: KindDefinition = {
  resource: { apiVersion: 'example/v1', kind: 'OddThing', plural: 'oddthings', isNamespaced: true },
  singular: 'oddthing',
  shortNames: ['odd'],
  columns: [{ name: 'Status', type: 'string', jsonPath: '.status.status', priority: 1 }],
  summary: 'A thing.',
  schema: z.object({
    spec: upstream.element('Spec.', {
      bus: upstream.text('A bus | a road.', { enum: ['a', ''], defaultText: '`a`' }),
      run: z.boolean().default(true).describe('Run it.'),
      many: z
        .array(z.object({ index: z.int().min(0).max(9).describe('Which.') }))
        .optional()
        .describe('Some.'),
    }),
    status: upstream.element('Status.', { at: z.iso.datetime().optional().describe('When.') }),
  }),
};

describe('renderReferencePage', () => {
  test.each([
    '| `spec.bus` | `"a"`, `""` | `a` | Harvester | A bus \\| a road. |',
    '| `spec.run` | boolean | `true` | Airlift | Run it. |',
    '| `spec.many[]` | list of objects |  | Airlift | Some. |',
    '| `spec.many[].index` | integer to 9, required |  | Airlift | Which. |',
    '| `status.at` | time |  | Airlift | When. |',
    '| Status | `.status.status` | with `-o wide` |',
  ])('has the row %s', (row) => {
    expect(renderReferencePage(definition).split('\n')).toContain(row);
  });

  test.each(kindDefinitions.map((each) => [each.resource.kind, each] as const))('has every field of %s', (_, each) => {
    const page = renderReferencePage(each);
    const pathsOf = (node: ReturnType<typeof readFields>, path: string): string[] =>
      Object.entries(node.properties ?? {}).flatMap(([name, field]) => {
        const at = `${path}${name}${field.type === 'array' ? '[]' : ''}`;
        return [at, ...pathsOf(field.items ?? field, `${at}.`)];
      });
    const paths = pathsOf(readFields(each.schema), '').filter((path) => path.includes('.'));
    expect(paths.length).toBeGreaterThan(10);
    expect(paths.filter((path) => !page.includes(`\n| \`${path}\` | `))).toEqual([]);
  });
});

test('no field goes without a meaning', () => {
  for (const each of kindDefinitions) expect(renderReferencePage(each)).not.toMatch(/(Harvester|Airlift) \| {2}\|$/m);
});

test('the index leads to each page', () => {
  expect(pageName(definition)).toBe('odd-thing.md');
  expect(renderReferenceIndex([definition])).toContain('| [OddThing](odd-thing.md) | `odd` | A thing. |');
});
