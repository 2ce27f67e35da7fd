import { describe, expect, test } from 'vitest';
import { type RunningTransfer, TransferPlaces } from './transfer-slots.ts';

const limits = { total: 4, perHost: 2, perNode: 3 };
const at = (id: string, host: string | undefined, node?: string): RunningTransfer => ({ id, host, node });

function places(running: RunningTransfer[]) {
  const woken: string[] = [];
  const clock = { ms: 0 };
  const slots = new TransferPlaces({
    limits,
    running: () => running,
    now: () => clock.ms,
    wake: (key) => void woken.push(key),
  });
  return { slots, woken, clock };
}
const blocked = (running: RunningTransfer[], host?: string) => places(running).slots.blocked({ id: 'new', host });

describe('a place for a transfer', () => {
  test('is there until there are as many as there may be, in all or of one server', () => {
    expect(blocked([], 'a')).toBeUndefined();
    expect(blocked([at('1', 'a', 'n1'), at('2', 'b', 'n2')], 'a')).toBeUndefined();
    const two = [at('1', 'a', 'n1'), at('2', 'a', 'n2')];
    expect(blocked(two, 'a')).toBe('2 transfers read from a already; the limit is 2');
    expect(blocked(two, 'b')).toBeUndefined();
    expect(blocked([...two, at('3', 'b', 'n1'), at('4', 'b', 'n2')], 'c')).toBe(
      '4 transfers run already; the limit is 4',
    );
  });

  test('counts a source without a server in all only', () => {
    expect(blocked([at('1', undefined, 'n1'), at('2', undefined, 'n2'), at('3', undefined, 'n1')])).toBeUndefined();
  });

  test('is not given beyond its share on a node that is the only one', () => {
    const three = [at('1', 'a', 'n1'), at('2', 'b', 'n1'), at('3', 'c', 'n1')];
    expect(blocked(three, 'd')).toMatch(/only node/);
    expect(blocked([...three.slice(1), at('4', 'e', 'n2')], 'd')).toBeUndefined();
  });

  test('is not given beyond that either while nobody knows where those begun at once will be', () => {
    const { slots } = places([]);
    for (const host of ['a', 'b', 'c']) expect(slots.take({ id: host, host })).toBeUndefined();
    expect(slots.take({ id: 'd', host: 'd' })).toMatch(/limit is 3/);
  });

  test('is on no node while the scheduler finds none', () => {
    const stuck = (id: string) => ({ ...at(id, id), isUnschedulable: true });
    expect(blocked([stuck('1'), stuck('2'), stuck('3')], 'd')).toBeUndefined();
  });

  test('is taken at once, whatever the watches know, and given back when nothing came of it', () => {
    const { slots, clock } = places([]);
    expect(slots.take({ id: '1', host: 'a' })).toBeUndefined();
    expect(slots.take({ id: '2', host: 'a' })).toBeUndefined();
    expect(slots.take({ id: '3', host: 'a' })).toBe('2 transfers read from a already; the limit is 2');
    // The next run of one that has its place needs no second one.
    expect(slots.take({ id: '2', host: 'a' })).toBeUndefined();
    clock.ms += 60_000;
    expect(slots.take({ id: '3', host: 'a' })).toBeUndefined();
  });

  test('is given back at once when what it was taken for is stopped, and whoever waits is told', () => {
    const { slots, woken } = places([]);
    slots.take({ id: '1', host: 'a' });
    slots.take({ id: '2', host: 'a' });
    slots.wait('vms/third', '2026-11-01T10:00:00Z');
    slots.release('unknown');
    expect(woken).toEqual([]);
    slots.release('1');
    expect(woken).toEqual(['vms/third']);
    expect(slots.take({ id: '3', host: 'a' })).toBeUndefined();
  });

  test('that is taken and seen running counts once', () => {
    const running: RunningTransfer[] = [];
    const { slots } = places(running);
    slots.take({ id: '1', host: 'a' });
    running.push(at('1', 'a', 'n1'));
    expect(slots.take({ id: '2', host: 'a' })).toBeUndefined();
    running.length = 0;
    // It ran and ended: nothing of it is left.
    expect(slots.take({ id: '3', host: 'a' })).toBeUndefined();
  });
});

describe('who waits', () => {
  test('is told when there may be a place, the oldest first and no more than there are places', () => {
    const running = [at('1', 'a'), at('2', 'b'), at('3', 'c'), at('4', 'd')];
    const { slots, woken } = places(running);
    slots.wait('vms/young', '2026-11-01T10:00:02Z');
    slots.wait('vms/old', '2026-11-01T10:00:00Z');
    slots.wait('vms/gone', '2026-10-01T10:00:00Z');
    slots.forget('vms/gone');
    slots.wakeWaiting();
    expect(woken).toEqual([]);
    running.pop();
    slots.wakeWaiting();
    expect(woken).toEqual(['vms/old']);
    running.pop();
    slots.wakeWaiting();
    expect(woken).toEqual(['vms/old', 'vms/young']);
  });
});
