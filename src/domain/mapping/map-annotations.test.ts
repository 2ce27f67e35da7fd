import { describe, expect, test } from 'vitest';
import { aMachine, debian } from '../../testing/kubevirt/sample-machines.ts';
import type { Setting } from '../machine.ts';
import { mapAnnotations } from './map-annotations.ts';

const PREFIX = 'migration.harvesterhci.io/source';
const setting = (name: string, value: string): Setting => ({ kind: 'Property', name, value });
const outcomes = (settings: Setting[]) =>
  mapAnnotations(aMachine({ settings }), 'web01')
    .rows.filter((each) => each.property.startsWith('setting['))
    .map((each) => each.outcome);

describe('mapAnnotations', () => {
  test('keeps id, name, note, guest and settings', () => {
    const machine = aMachine({
      name: 'Web 01',
      annotation: 'a note',
      guestOs: debian,
      settings: [setting('a', '1')],
    });
    expect(mapAnnotations(machine, 'web-01').annotations).toEqual({
      [`${PREFIX}-id`]: 'vm-1',
      [`${PREFIX}-name`]: 'Web 01',
      'field.cattle.io/description': 'a note',
      [`${PREFIX}-guest-os`]: 'debian12_64Guest (Debian GNU/Linux 12 (64-bit))',
      [`${PREFIX}-settings`]: '[{"kind":"Property","name":"a","value":"1"}]',
    });
  });

  test.each([
    ['root_password', 'x'],
    ['adminPasswd', 'x'],
    ['guestinfo.userdata', 'x'],
    ['api-key', 'x'],
    ['cert', '-----BEGIN RSA PRIVATE KEY-----\nx'],
  ])('drops the setting %j and shows its value nowhere', (name, value) => {
    const { annotations, rows } = mapAnnotations(aMachine({ settings: [setting(name, value)] }), 'web01');
    expect(annotations).not.toHaveProperty([`${PREFIX}-settings`]);
    expect(rows.at(-1)).toMatchObject({ outcome: 'dropped', source: '(hidden)' });
  });

  test('long values are cut on a character, and say so', () => {
    const machine = aMachine({ annotation: '€'.repeat(5_000), settings: [setting('eula', 'x'.repeat(2_000))] });
    const { annotations, rows } = mapAnnotations(machine, 'web01');
    expect(annotations['field.cattle.io/description']).toBe('€'.repeat(2730));
    expect(rows.filter((each) => each.outcome === 'changed').map((each) => each.property)).toEqual([
      'annotation',
      'setting[Property eula]',
    ]);
  });

  test('settings past the budget are dropped one by one; a short one after them still fits', () => {
    const long = Array.from({ length: 120 }, (_, index) => setting(`long${index}`, 'x'.repeat(1_000)));
    const result = outcomes([...long, setting('short', 'y')]);
    expect(result.filter((each) => each === 'dropped').length).toBeGreaterThan(20);
    expect(result.at(-1)).toBe('kept');
  });

  test('the annotations and their copy by kubectl stay below what Kubernetes takes, whatever the text', () => {
    const worst = '<\u0000"\u2028'.repeat(5_000);
    const settings = Array.from({ length: 500 }, (_, index) => setting(`${worst.slice(0, 200)}${index}`, worst));
    const machine = aMachine({
      id: worst,
      name: worst,
      annotation: worst,
      guestOs: { family: 'other', id: worst },
      settings,
    });
    const { annotations } = mapAnnotations(machine, 'web01');
    const plain = Object.entries(annotations).flat().join('');
    const asGoSpellsIt = JSON.stringify(annotations).replace(/[<>&\u2028\u2029]/g, '\\u003c');
    expect(Buffer.byteLength(plain) + Buffer.byteLength(asGoSpellsIt)).toBeLessThan(220_000);
  });

  test('half a surrogate pair does not reach the cluster', () => {
    const { annotations } = mapAnnotations(aMachine({ annotation: 'a\ud800b' }), 'web01');
    expect(annotations['field.cattle.io/description']).toBe('a\ufffdb');
  });
});
