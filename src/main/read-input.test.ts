import { describe, expect, test } from 'vitest';
import { readInput } from './read-input.ts';

async function* pieces(...given: (string | Uint8Array)[]) {
  yield* given;
}

describe('readInput', () => {
  test('gives all of it, also where a letter comes in two pieces', async () => {
    const [first, second] = [Buffer.from('hä').subarray(0, 2), Buffer.from('hä').subarray(2)];
    expect(await readInput(pieces(first, second, 'user'))).toBe('häuser');
  });

  test('nothing is an empty text', async () => {
    expect(await readInput(pieces())).toBe('');
  });

  test('input without an end is refused before it takes all memory', async () => {
    const endless = (async function* () {
      for (;;) yield new Uint8Array(1024 * 1024);
    })();
    await expect(readInput(endless)).rejects.toMatchObject({ code: 'ManifestUnreadable' });
  });

  test('waiting for input that never comes can be stopped', async () => {
    const never: AsyncIterable<string> = { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) };
    const stop = new AbortController();
    const reading = readInput(never, { signal: stop.signal });
    stop.abort(new Error('stopped'));
    await expect(reading).rejects.toThrow('stopped');
  });
});
