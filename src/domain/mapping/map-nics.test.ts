import { describe, expect, test } from 'vitest';
import { aMachine, debian, someOptions } from '../../testing/kubevirt/sample-machines.ts';
import type { Nic } from '../machine.ts';
import { mapNics } from './map-nics.ts';

const nic = (id: string, properties: Partial<Nic> = {}): Nic => ({
  id,
  model: 'virtio',
  isConnected: true,
  ...properties,
});
const networks = new Map([
  ['prod', 'default/vlan10'],
  ['lab', 'pod'],
  ['test', 'pod'],
]);
const map = (...nics: Nic[]) => mapNics(aMachine({ nics }), someOptions({ networks }));

describe('networks', () => {
  test('a mapped card goes to its network and nothing is found about it', () => {
    const { nics, findings } = map(nic('a', { network: 'prod' }));
    expect(nics).toEqual([{ id: 'a', name: 'nic-0', model: 'virtio', network: 'default/vlan10', isConnected: true }]);
    expect(findings).toEqual([]);
  });

  test('the first card without a mapping goes to the pod network, further ones are left out; each is told', () => {
    const { nics, rows, findings } = map(nic('a', { network: 'x' }), nic('b', { network: 'prod' }), nic('c'));
    expect(nics.map((each) => [each.id, each.name, each.network])).toEqual([
      ['a', 'nic-0', 'pod'],
      ['b', 'nic-1', 'default/vlan10'],
    ]);
    expect(rows.find((each) => each.property === 'nic[c]')?.outcome).toBe('dropped');
    expect(findings.map((each) => [each.code, each.subject])).toEqual([
      ['NetworkNotMapped', 'a'],
      ['NetworkNotMapped', 'c'],
    ]);
  });

  test('a card that the user maps to the pod network comes before one without a mapping', () => {
    const { nics } = map(nic('a', { network: 'x' }), nic('b', { network: 'lab' }));
    expect(nics.map((each) => each.id)).toEqual(['b']);
  });

  test('of two cards mapped to the pod network the second is left out', () => {
    const { nics, findings } = map(nic('a', { network: 'lab' }), nic('b', { network: 'test' }));
    expect(nics.map((each) => each.id)).toEqual(['a']);
    expect(findings).toMatchObject([{ code: 'NetworkNotMapped', subject: 'b' }]);
  });

  test('as the old importer does it, cards without a mapping are left out while another card has one', () => {
    const options = someOptions({ networks, unmappedNics: 'leftOut' });
    const nics = [nic('a', { network: 'x' }), nic('b', { network: 'prod' })];
    const { nics: left, rows, findings } = mapNics(aMachine({ nics }), options);
    expect(left.map((each) => each.id)).toEqual(['b']);
    expect(rows.find((each) => each.property === 'nic[a]')).toMatchObject({
      outcome: 'dropped',
      reason: 'no network is named for it',
    });
    expect(findings).toMatchObject([{ code: 'NetworkNotMapped', subject: 'a' }]);
    const alone = mapNics(aMachine({ nics: nics.slice(0, 1) }), options);
    expect(alone.nics).toMatchObject([{ id: 'a', network: 'pod' }]);
    expect(alone.findings).toMatchObject([{ code: 'NetworkNotMapped', subject: 'a' }]);
  });

  test("a model is the user's word for a network's cards, or for cards that have no counterpart", () => {
    const options = someOptions({
      networks,
      nicModels: new Map([['prod', 'e1000']]),
      defaultNicModel: 'rtl8139',
    });
    const nics = [nic('a', { network: 'prod' }), nic('b', { network: 'lab', model: 'VirtualSriovEthernetCard' })];
    expect(mapNics(aMachine({ nics }), options).nics.map(({ model }) => model)).toEqual(['e1000', 'rtl8139']);
  });

  test('two cards may be on the same network of the cluster', () => {
    expect(map(nic('a', { network: 'prod' }), nic('b', { network: 'prod' })).nics).toHaveLength(2);
  });

  test('a disconnected card stays disconnected', () => {
    expect(map(nic('a', { network: 'prod', isConnected: false })).nics[0]?.isConnected).toBe(false);
  });
});

describe('addresses', () => {
  test('an address is kept in the usual form', () => {
    expect(map(nic('a', { macAddress: '00-50-56-AB-CD-EF' })).nics[0]?.macAddress).toBe('00:50:56:ab:cd:ef');
  });

  test('an unusable or repeated address is dropped with a reason, the card stays', () => {
    const { nics, rows } = map(
      nic('a', { network: 'prod', macAddress: '00:50:56:00:00:01' }),
      nic('b', { network: 'prod', macAddress: '00-50-56-00-00-01' }),
      nic('c', { network: 'prod', macAddress: '01:00:5e:00:00:01' }),
    );
    expect(nics.map((each) => each.macAddress)).toEqual(['00:50:56:00:00:01', undefined, undefined]);
    expect(rows.filter((each) => each.property.endsWith('.mac')).map((each) => [each.outcome, each.reason])).toEqual([
      ['kept', undefined],
      ['dropped', expect.stringContaining('another card')],
      ['dropped', expect.stringContaining('multicast')],
    ]);
  });
});

test('a Linux guest is told that its interfaces may get other names', () => {
  const machine = aMachine({ guestOs: debian, nics: [nic('a', { network: 'prod' })] });
  expect(mapNics(machine, someOptions({ networks })).findings).toMatchObject([{ severity: 'note', subject: 'nics' }]);
});
