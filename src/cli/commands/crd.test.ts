import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { customResourceDefinitions } from '../../api/custom-resource-definition.ts';
import type { CommandCall } from '../define-command.ts';
import { crdCommand } from './crd.ts';

async function print(output: string): Promise<string> {
  let text = '';
  const io = {
    print(printed: string) {
      text += printed;
    },
  };
  expect(await crdCommand.run({ flags: { output }, io } as unknown as CommandCall)).toBe(0);
  return text;
}

test('YAML is a document for each kind', async () => {
  const documents = parseAllDocuments(await print('yaml')).map((document) => document.toJS() as unknown);
  expect(documents).toEqual(JSON.parse(JSON.stringify(customResourceDefinitions())));
});

test('JSON is one list, as kubectl takes it', async () => {
  const { kind, items } = JSON.parse(await print('json')) as { kind: string; items: { kind: string }[] };
  expect(kind).toBe('List');
  expect(items.map((item) => item.kind)).toEqual(Array(4).fill('CustomResourceDefinition'));
});
