import { describe, expect, test } from 'vitest';
import { PieceReader } from './piece-reader.ts';

const bytes = Uint8Array.from({ length: 100 }, (_, index) => index);

function inPieces(size: number) {
  const seen = { pulled: 0, closed: false };
  async function* stream() {
    try {
      for (let at = 0; at < bytes.length; at += size) {
        seen.pulled += 1;
        yield bytes.subarray(at, at + size);
      }
    } finally {
      seen.closed = true;
    }
  }
  return { seen, stream: stream() };
}

describe('PieceReader', () => {
  test.each([1, 7, 50, 100])('gives the lengths asked for when pieces have %i bytes', async (size) => {
    await using reader = new PieceReader(inPieces(size).stream, 1000);
    expect(Uint8Array.from((await reader.readExactly(10)) ?? [])).toEqual(bytes.subarray(0, 10));
    expect(await reader.skipTo(1040)).toBe(true);
    expect(Uint8Array.from((await reader.readExactly(33)) ?? [])).toEqual(bytes.subarray(40, 73));
    expect(reader.position).toBe(1073);
    expect(await reader.readExactly(28)).toBeUndefined();
    expect(reader.position).toBe(1100);
  });

  test('pulls nothing before it is asked, and no more than needed', async () => {
    const { seen, stream } = inPieces(10);
    await using reader = new PieceReader(stream);
    expect(seen.pulled).toBe(0);
    await reader.readExactly(15);
    expect(seen.pulled).toBe(2);
  });

  test('closing early closes the stream', async () => {
    const { seen, stream } = inPieces(10);
    {
      await using reader = new PieceReader(stream);
      await reader.readExactly(1);
    }
    expect(seen.closed).toBe(true);
  });

  test('says when the stream ends before a place', async () => {
    await using reader = new PieceReader(inPieces(10).stream);
    expect(await reader.skipTo(101)).toBe(false);
    expect(await reader.fill()).toBe(false);
  });
});
