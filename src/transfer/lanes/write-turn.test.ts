import { describe, expect, test } from 'vitest';
import { WriteTurn } from './write-turn.ts';

describe('WriteTurn', () => {
  test('gives the turn back, also after a failure', () => {
    const memory = WriteTurn.makeMemory();
    const [one, other] = [new WriteTurn(memory), new WriteTurn(memory)];
    expect(one.take(() => 'written')).toBe('written');
    expect(() =>
      other.take(() => {
        throw new Error('full');
      }),
    ).toThrow('full');
    // Were it still taken, this would wait for ever.
    expect(one.take(() => 'again')).toBe('again');
  });

  test('is taken while a lane writes', () => {
    const memory = WriteTurn.makeMemory();
    new WriteTurn(memory).take(() => expect(new Int32Array(memory)[0]).toBe(1));
    expect(new Int32Array(memory)[0]).toBe(0);
  });
});
