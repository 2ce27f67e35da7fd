import { describe, expect, test } from 'vitest';
import { ActiveFaults, withFlippedBit } from './fault-plan.ts';

const whole = (number: number, from: number, to: number) => ({ number, from, to });

describe('a plan of faults', () => {
  test('strikes the operation that holds the byte, once, and no other', () => {
    const faults = new ActiveFaults([{ at: { byte: 150 }, fault: 'gone' }]);
    expect(faults.take(() => whole(1, 0, 150))).toBeUndefined();
    expect(faults.take(() => whole(2, 150, 200))).toMatchObject({ fault: 'gone' });
    expect(faults.take(() => whole(3, 150, 200))).toBeUndefined();
    expect(faults.struck).toEqual(['gone']);
  });

  test('goes on striking as often as planned, wherever the next operations are', () => {
    const faults = new ActiveFaults([{ at: { operation: 2 }, fault: 'full', times: 2 }]);
    const struck = [1, 2, 3, 4].map((number) => faults.take(() => whole(number, 0, 1)) !== undefined);
    expect(struck).toEqual([false, true, true, false]);
  });

  test('leaves alone what a fault is not about', () => {
    const faults = new ActiveFaults([{ at: { operation: 1 }, fault: 'on reads', times: Number.POSITIVE_INFINITY }]);
    expect(faults.take((fault) => (fault === 'on writes' ? whole(1, 0, 1) : undefined))).toBeUndefined();
    expect(faults.take((fault) => (fault === 'on reads' ? whole(1, 0, 1) : undefined))).toBeDefined();
  });

  test('uses nothing up while it is not armed', () => {
    const faults = new ActiveFaults([{ at: { byte: 0 }, fault: 'gone' }]);
    faults.isArmed = false;
    expect(faults.take(() => whole(1, 0, 10))).toBeUndefined();
    faults.isArmed = true;
    expect(faults.take(() => whole(2, 0, 10))).toBeDefined();
  });

  test('tells whoever listens before the fault strikes', () => {
    const faults = new ActiveFaults([{ at: { byte: 0 }, fault: 'gone' }]);
    const told: string[] = [];
    faults.onStrike = (fault) => told.push(fault);
    faults.take(() => whole(1, 0, 10));
    expect(told).toEqual(['gone']);
  });
});

describe('withFlippedBit', () => {
  test.each([0, 3, 7])('turns one bit of the byte at %i in a copy', (at) => {
    const bytes = new Uint8Array(8);
    const other = withFlippedBit(bytes, at);
    expect(bytes).toEqual(new Uint8Array(8));
    expect(other.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0)).toBe(1);
    expect(other[at]).not.toBe(0);
  });
});
