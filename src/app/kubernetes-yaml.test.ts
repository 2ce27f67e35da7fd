import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { toKubernetesYaml } from './kubernetes-yaml.ts';

describe('toKubernetesYaml', () => {
  test.each(['yes', 'No', 'on', 'y', '~', 'null', '0x1F', '0o17', '017', '1e3', '12:30', '1_000', '.inf', ''])(
    '%j stays text, also to a parser of YAML 1.1',
    (text) => {
      expect(toKubernetesYaml({ value: text })).toMatch(/^value: (["']).*\1\n$/);
      expect(parse(toKubernetesYaml({ value: text }), { version: '1.1' })).toEqual({ value: text });
    },
  );

  test.each([
    'a\u2028---\nb',
    'a\u0085b',
    'a\r\nb',
    '\u0000\u001b[31m',
    '\ufeff',
    '\u007f\u009f',
    'a\tb',
    '\u00a0',
    '😀\u2029',
  ])('%j is escaped on one line', (text) => {
    const yaml = toKubernetesYaml({ value: text });
    expect(yaml).toMatch(/^value: "[^\p{Control}\u2028\u2029]*"\n$/u);
    expect(parse(yaml)).toEqual({ value: text });
  });

  test('plain lines stay readable, and a document marker among them is indented', () => {
    expect(toKubernetesYaml({ value: 'Größe: "5"\n---\n...\n' })).toBe('value: |\n  Größe: "5"\n  ---\n  ...\n');
  });
});
