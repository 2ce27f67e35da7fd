import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { renderData } from './data.ts';

const data = { name: 'web\u001b[31m\u009b2J\u202e\u2028', answer: 'yes', port: '0o17', missing: undefined, none: [] };
const told = { name: data.name, answer: 'yes', port: '0o17', none: [] };

test('JSON reads back as it was and holds nothing a terminal would act on', () => {
  const json = renderData(data, 'json', () => '');
  expect(JSON.parse(json)).toEqual(told);
  expect(json.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\u2028]/u);
});

test('YAML reads back as it was, by YAML 1.1 too, and holds no control characters', () => {
  const yaml = renderData(data, 'yaml', () => '');
  expect(parse(yaml)).toEqual(told);
  expect(parse(yaml, { version: '1.1' })).toEqual(told);
  expect(yaml.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u2028]/u);
});

test('the text for people is made only when it is wanted', () => {
  expect(renderData(data, 'table', () => 'text')).toBe('text');
});
