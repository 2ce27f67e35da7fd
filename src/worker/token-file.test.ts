import { expect, test } from 'vitest';
import { FakeClock } from '../testing/fake-clock.ts';
import { TokenFile } from './token-file.ts';

function begin() {
  const clock = new FakeClock();
  const file = { text: ' one\n', reads: 0 };
  const token = new TokenFile(
    '/var/token',
    async (path) => {
      file.reads += 1;
      if (path !== '/var/token' || file.text === 'missing') throw new Error('ENOENT: no such file');
      return file.text;
    },
    clock,
  );
  return { clock, file, token };
}

test('is read again after twenty seconds: the kubelet replaces it', async () => {
  const { clock, file, token } = begin();
  expect(await token.authorization()).toBe('Bearer one');
  file.text = 'two';
  clock.ms += 19_999;
  expect(await token.authorization()).toBe('Bearer one');
  clock.ms += 1;
  expect(await token.authorization()).toBe('Bearer two');
  expect(file.reads).toBe(2);
});

test('refused, it is read again at once', async () => {
  const { file, token } = begin();
  await token.authorization();
  file.text = 'two';
  token.forget();
  expect(await token.authorization()).toBe('Bearer two');
});

test.each([
  ['missing', 'ENOENT'],
  [' \n', 'it is empty'],
])('%j is named with its path, and read again the next time', async (text, why) => {
  const { file, token } = begin();
  file.text = text;
  await expect(token.authorization()).rejects.toMatchObject({
    code: 'WorkerEnvironmentInvalid',
    message: expect.stringMatching(new RegExp(`/var/token.*${why}`)),
  });
  file.text = 'one';
  expect(await token.authorization()).toBe('Bearer one');
});
