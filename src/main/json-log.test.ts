import { describe, expect, test } from 'vitest';
import { ProblemError } from '../domain/problems.ts';
import { createJsonLog, readLogLevel } from './json-log.ts';

function logged(act: (log: ReturnType<typeof createJsonLog>) => void, level: 'info' | 'warn' = 'info') {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  act(createJsonLog({ name: 'controller', level, fields: { version: '1', password: 'of all lines' }, destination }));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('a line', () => {
  test('is one object with level, time, name, its own fields and those of all lines', () => {
    const [line] = logged((log) => log.warn('a thing\nhappened', { import: 'vms/web' }));
    expect(line).toMatchObject({
      level: 'warn',
      name: 'controller',
      version: '1',
      import: 'vms/web',
      message: 'a thing\nhappened',
    });
    expect(Date.parse(String(line?.time))).toBeGreaterThan(0);
  });

  test('holds no secret, wherever it stands', () => {
    const text = JSON.stringify(
      logged((log) => {
        log.error('failed', {
          password: 's3cret-1',
          nested: { Authorization: 'Basic s3cret-2', url: 'https://anna:s3cret-3@host/x', note: 'Bearer s3cret-4' },
          list: [{ apiKey: 's3cret-5' }],
          error: new ProblemError('SourceUnreachable', 'https://bob:s3cret-6@host does not answer', {
            cause: new Error('token: Bearer s3cret-7'),
            context: { token: 's3cret-8' },
          }),
          map: new Map([['clientSecret', 's3cret-9']]),
        });
      }),
    );
    expect(text).not.toContain('s3cret');
    expect(text).not.toContain('of all lines');
    expect(text).toContain('SourceUnreachable');
    expect(text).toContain('https://host/x');
  });

  test('names the Secret that is meant, which is no secret', () => {
    expect(logged((log) => log.info('read', { secretName: 'login', isSecretThere: true }))[0]).toMatchObject({
      secretName: 'login',
      isSecretThere: true,
    });
  });

  test('has an error with its causes, and the stack of a mistake of ours', () => {
    const cause = new ProblemError('TargetFull', 'no space');
    const [line] = logged((log) => log.error('failed', { error: new TypeError('wrong', { cause }) }));
    expect(line?.error).toMatchObject({
      name: 'TypeError',
      message: 'wrong',
      stack: expect.stringContaining('json-log.test'),
      causes: [{ code: 'TargetFull' }],
    });
    expect(JSON.stringify(line).match(/"stack"/g)).toHaveLength(1);
  });

  test('survives circles, depth, size and odd values', () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    let deep: object = {};
    for (let level = 0; level < 50; level += 1) deep = { deep };
    const odd = { big: 5n, call: () => {}, bytes: new Uint8Array(3), time: new Date(Number.NaN), set: new Set([1]) };
    const [line] = logged((log) =>
      log.info('odd', { circle, deep, odd, text: 'x'.repeat(100_000), list: Array.from({ length: 1000 }, () => 1) }),
    );
    expect(JSON.stringify(line).length).toBeLessThan(20_000);
    expect(line?.odd).toMatchObject({ big: '5', bytes: '[3 bytes]', time: 'no date', set: [1] });
    expect(line?.circle).toEqual({ self: '[circular]' });
  });
});

test('what is below the level is not written', () => {
  expect(
    logged((log) => {
      log.info('small talk');
      log.warn('worth it');
    }, 'warn').map(({ message }) => message),
  ).toEqual(['worth it']);
});

test.each([
  [{}, 'info'],
  [{ DEBUG: 'TRUE' }, 'debug'],
  [{ DEBUG: 'no' }, 'info'],
  [{ AIRLIFT_LOG_LEVEL: 'WARN', DEBUG: 'true' }, 'warn'],
  [{ AIRLIFT_LOG_LEVEL: '' }, 'info'],
])('%o asks for %s', (environment, level) => {
  expect(readLogLevel(environment)).toBe(level);
});

test('a level that is none is refused by name', () => {
  expect(() => readLogLevel({ AIRLIFT_LOG_LEVEL: 'loud' })).toThrow('"loud"');
});
