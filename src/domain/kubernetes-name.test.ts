import { describe, expect, test } from 'vitest';
import { randomBelow, seededRandom } from '../testing/random.ts';
import { isKubernetesName, toKubernetesName } from './kubernetes-name.ts';

describe('toKubernetesName', () => {
  test.each([
    ['web01', 'web01'],
    ['WEB01', 'web01'],
    ['Web_01 (old)', 'web-01-old'],
    ['db.example.com', 'db-example-com'],
    ['  -- spaced --  ', 'spaced'],
    ['Müller Straße', 'muller-strasse'],
    ['Łódź Øst ½', 'lodz-ost-1-2'],
    ['ｗｉｄｅ', 'wide'],
    ['42', '42'],
  ])('rewrites %j as %j, without a hash, since no letter or digit is lost', (name, expected) => {
    expect(toKubernetesName(name)).toBe(expected);
  });

  test.each([
    ['сервер-01', /^01-[0-9a-f]{8}$/],
    ['服务器', /^machine-[0-9a-f]{8}$/],
    ['', /^machine-[0-9a-f]{8}$/],
    ['???', /^machine-[0-9a-f]{8}$/],
    ['x'.repeat(64), /^x{54}-[0-9a-f]{8}$/],
    [`${'x'.repeat(53)} ${'y'.repeat(20)}`, /^x{53}-[0-9a-f]{8}$/],
  ])('marks %j with a hash of the whole name, since something is lost', (name, expected) => {
    expect(toKubernetesName(name)).toMatch(expected);
  });

  test('names that differ only in what is lost stay apart', () => {
    expect(toKubernetesName('сервер-01')).not.toBe(toKubernetesName('клиент-01'));
    expect(toKubernetesName(`${'x'.repeat(80)}1`)).not.toBe(toKubernetesName(`${'x'.repeat(80)}2`));
  });

  test('a name that is already a Kubernetes name stays as it is, and the result always is one', () => {
    const random = seededRandom(7);
    for (let run = 0; run < 5_000; run += 1) {
      const length = randomBelow(random, 80);
      const below = run % 2 ? 0x80 : 0x11000;
      const name = Array.from({ length }, () => String.fromCodePoint(randomBelow(random, below))).join('');
      const result = toKubernetesName(name);
      expect(isKubernetesName(result), JSON.stringify(name)).toBe(true);
      expect(toKubernetesName(result)).toBe(result);
    }
  });
});

describe('isKubernetesName', () => {
  test.each(['a', '0', 'a-b', 'a--b', 'x'.repeat(63)])('accepts %j', (name) =>
    expect(isKubernetesName(name)).toBe(true),
  );
  test.each(['', '-a', 'a-', 'A', 'a.b', 'a_b', 'a b', 'a\n', 'ä', 'x'.repeat(64)])('refuses %j', (name) =>
    expect(isKubernetesName(name)).toBe(false),
  );
});
