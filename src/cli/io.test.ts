import { describe, expect, test } from 'vitest';
import { isProblem } from '../domain/problems.ts';
import { ansiPaint, choosePaint, noPaint, waitForAnswer } from './io.ts';

describe('choosePaint', () => {
  test.each([
    ['a terminal', true, {}, ansiPaint],
    ['no terminal', false, {}, noPaint],
    ['NO_COLOR on a terminal', true, { NO_COLOR: '1' }, noPaint],
    ['an empty NO_COLOR, which by its definition says nothing', true, { NO_COLOR: '' }, ansiPaint],
    ['FORCE_COLOR without a terminal', false, { FORCE_COLOR: '1' }, ansiPaint],
    ['FORCE_COLOR=0', false, { FORCE_COLOR: '0' }, noPaint],
    ['both: the wish for none wins', true, { NO_COLOR: '1', FORCE_COLOR: '1' }, noPaint],
    ['a terminal that cannot', true, { TERM: 'dumb' }, noPaint],
  ])('%s', (_, isTerminal, env, paint) => {
    expect(choosePaint(isTerminal, env)).toBe(paint);
  });
});

describe('waitForAnswer', () => {
  test('Ctrl-C at a question is an interruption, not a bug', async () => {
    const stopped = Promise.reject(Object.assign(new Error('Aborted with Ctrl+C'), { name: 'AbortError' }));
    const error = await waitForAnswer(stopped).catch((each: unknown) => each);
    expect(isProblem(error, 'Interrupted')).toBe(true);
  });

  test('anything else passes', async () => {
    await expect(waitForAnswer(Promise.reject(new TypeError('bug')))).rejects.toThrow(TypeError);
    await expect(waitForAnswer(Promise.resolve('yes'))).resolves.toBe('yes');
  });
});
