import { describe, expect, test } from 'vitest';
import { collect } from '../testing/collect.ts';
import { randomBelow, seededRandom } from '../testing/random.ts';
import { jsonLines } from './json-lines.ts';

async function* inPieces(bytes: Uint8Array, nextSize: () => number): AsyncGenerator<Uint8Array, void> {
  for (let from = 0; from < bytes.length; ) {
    const size = Math.max(1, nextSize());
    yield bytes.subarray(from, from + size);
    from += size;
  }
}

const values = [
  { type: 'ADDED', object: { name: 'ä€😀', text: 'line\nbreak' } },
  5,
  'x'.repeat(5_000),
  [],
  { nested: [{}] },
];
const stream = Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(''));

describe('jsonLines', () => {
  test.each([1, 2, 3, 7, 64, 4_096, stream.length])(
    'gives the same values when bytes arrive %i at a time',
    async (size) => {
      expect(
        await collect(
          jsonLines(
            inPieces(stream, () => size),
            10_000,
          ),
        ),
      ).toEqual(values);
    },
  );

  test('gives the same values for pieces of any sizes', async () => {
    const random = seededRandom(3);
    for (let round = 0; round < 200; round += 1) {
      const most = 1 + randomBelow(random, 300);
      expect(
        await collect(
          jsonLines(
            inPieces(stream, () => randomBelow(random, most)),
            10_000,
          ),
        ),
      ).toEqual(values);
    }
  });

  test('leaves out a line that was not finished, wherever it breaks off', async () => {
    for (let length = 0; length <= 80; length += 1) {
      const whole = stream.subarray(0, length).toString('utf8').split('\n').length - 1;
      const seen = await collect(
        jsonLines(
          inPieces(stream.subarray(0, length), () => 5),
          10_000,
        ),
      );
      expect(seen).toEqual(values.slice(0, whole));
    }
  });

  test('skips empty lines', async () => {
    expect(
      await collect(
        jsonLines(
          inPieces(Buffer.from('\n1\n\n\n2\n'), () => 1),
          10,
        ),
      ),
    ).toEqual([1, 2]);
  });

  test.each([1, 1_000])(
    'stops at a line that is too long, before it is all there (%i bytes at a time)',
    async (size) => {
      let taken = 0;
      async function* endless(): AsyncGenerator<Uint8Array, void> {
        while (true) {
          taken += size;
          yield new Uint8Array(size).fill(0x20);
        }
      }
      await expect(collect(jsonLines(endless(), 5_000))).rejects.toMatchObject({
        code: 'ClusterFailed',
        message: expect.stringContaining('5000 bytes'),
      });
      expect(taken).toBeLessThanOrEqual(6_000);
    },
  );

  test('does not repeat a line it cannot read: it may be a Secret', async () => {
    const secret = Buffer.from('{"data":"hunter2"oops}\n');
    const error = await collect(
      jsonLines(
        inPieces(secret, () => 100),
        1_000,
      ),
    ).catch((each) => each);
    expect(error).toMatchObject({ code: 'ClusterFailed' });
    expect(`${error.message} ${String(error.cause)}`).not.toContain('hunter2');
  });

  test('whatever the bytes, it ends with values or a problem', async () => {
    const random = seededRandom(11);
    const alphabet = Buffer.from('{}[]",:0a\n\\\u00e4 tru');
    for (let round = 0; round < 2_000; round += 1) {
      const bytes = Uint8Array.from(
        { length: randomBelow(random, 60) },
        () => alphabet[randomBelow(random, alphabet.length)] ?? 0,
      );
      const seen = await collect(
        jsonLines(
          inPieces(bytes, () => randomBelow(random, 9)),
          30,
        ),
      ).catch((error) => error.code);
      expect(Array.isArray(seen) || seen === 'ClusterFailed').toBe(true);
    }
  });

  test('stopping early closes the stream', async () => {
    let isClosed = false;
    async function* source(): AsyncGenerator<Uint8Array, void> {
      try {
        yield stream;
        yield stream;
      } finally {
        isClosed = true;
      }
    }
    for await (const _value of jsonLines(source(), 10_000)) break;
    expect(isClosed).toBe(true);
  });
});
