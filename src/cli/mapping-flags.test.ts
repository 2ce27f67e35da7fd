import { describe, expect, test } from 'vitest';
import { readMapping } from './mapping-flags.ts';
import { UsageError } from './usage-error.ts';

const none = {
  name: undefined,
  namespace: undefined,
  network: [],
  'disk-bus': undefined,
  'boot-doubt': 'warn',
  'storage-class': undefined,
} as const;
const read = (flags: Partial<Parameters<typeof readMapping>[0]['flags']>) =>
  readMapping({ flags: { ...none, ...flags } });

describe('readMapping', () => {
  test('a network may have "=" in its name on the source', () => {
    const { mapping } = read({ network: ['a=b=default/vlan10', 'VM Network=pod'] });
    expect([...mapping.networks]).toEqual([
      ['a=b', 'default/vlan10'],
      ['VM Network', 'pod'],
    ]);
  });

  test('what is not given is not there', () => {
    expect(read({})).toEqual({ targetName: undefined, mapping: { networks: new Map(), bootDoubt: 'warn' } });
  });

  test.each<[Parameters<typeof read>[0], string]>([
    [{ name: 'Web_01' }, '"web-01" would be'],
    [{ name: '../etc' }, 'no name for Kubernetes'],
    [{ namespace: 'a/b' }, 'no name of a namespace'],
    [{ 'storage-class': 'Fast!' }, 'no name of a class'],
    [{ network: ['VM Network'] }, '--network wants'],
    [{ network: ['=default/a'] }, '--network wants'],
    [{ network: ['a=default'] }, '--network wants'],
    [{ network: ['a=x/y/z'] }, '--network wants'],
    [{ network: ['a=x/'] }, '--network wants'],
    [{ network: ['a=pod', 'a=default/b'] }, 'two counterparts to "a"'],
  ])('%j is refused as wrong usage', (flags, part) => {
    expect(() => read(flags)).toThrow(UsageError);
    expect(() => read(flags)).toThrow(part);
  });

  test('a class may be a subdomain', () => {
    expect(read({ 'storage-class': 'fast.ssd-1' }).mapping.storageClassName).toBe('fast.ssd-1');
  });
});
