import { deflateRawSync, deflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { randomBelow, randomBytes, seededRandom } from '../testing/random.ts';
import { requirePresent } from '../testing/require-tool.ts';
import { chooseInflate, inflateByLibdeflate, inflateByZlib } from './inflate.ts';

const libdeflate = inflateByLibdeflate();
const inflates = [['zlib', inflateByZlib] as const, ['libdeflate', libdeflate] as const];
const content = Buffer.concat([
  randomBytes(seededRandom(3), 20_000),
  Buffer.alloc(45_536, 'system files repeat themselves '),
]);
const packed = { zlib: deflateSync(content), raw: deflateRawSync(content) };

describe.each(inflates)('inflate by %s', (_name, inflate) => {
  if (!requirePresent('libdeflate', inflate !== undefined) || inflate === undefined) {
    return test('the system has no libdeflate', () => {});
  }

  test.each(['zlib', 'raw'] as const)('unpacks %s into its place, over shared memory too', (wrapping) => {
    const whole = Buffer.from(new SharedArrayBuffer(content.length + 200)).fill(0xee);
    expect(inflate(wrapping, packed[wrapping], whole.subarray(100, -100))).toBe(content.length);
    expect(whole.subarray(100, -100).equals(content)).toBe(true);
    expect([whole[99], whole[content.length + 100]]).toEqual([0xee, 0xee]);
  });

  test.each(['zlib', 'raw'] as const)('%s may come short of its room, and be followed by padding', (wrapping) => {
    const out = Buffer.alloc(content.length + 5000);
    const padded = Buffer.concat([packed[wrapping], Buffer.alloc(300, 0x55)]);
    expect(inflate(wrapping, padded, out)).toBe(content.length);
    expect(out.subarray(0, content.length).equals(content)).toBe(true);
  });

  test.each(['zlib', 'raw'] as const)(
    '%s that unpacks to more than there is room for is told apart from damage',
    (wrapping) => {
      expect(() => inflate(wrapping, packed[wrapping], Buffer.alloc(content.length - 1))).toThrow(
        expect.objectContaining({ name: 'Error', kind: 'tooLong' }),
      );
      const corrupt = expect.objectContaining({ kind: 'corrupt' });
      for (const bad of [packed[wrapping].subarray(0, -10), Buffer.alloc(0), Buffer.alloc(50, 0xff)]) {
        expect(() => inflate(wrapping, bad, Buffer.alloc(content.length))).toThrow(corrupt);
      }
    },
  );

  test('a wrong checksum is damage', () => {
    const bad = Buffer.from(packed.zlib);
    bad[bad.length - 1] = (bad.at(-1) ?? 0) ^ 1;
    expect(() => inflate('zlib', bad, Buffer.alloc(content.length))).toThrow(
      expect.objectContaining({ kind: 'corrupt' }),
    );
  });
});

describe.runIf(libdeflate)('both', () => {
  test('accept and refuse the same, wherever a bit flips', () => {
    const random = seededRandom(11);
    for (let round = 0; round < 500; round += 1) {
      const bad = Buffer.from(packed.zlib);
      const at = randomBelow(random, bad.length);
      bad[at] = (bad[at] ?? 0) ^ (1 << randomBelow(random, 8));
      const answers = [inflateByZlib, libdeflate].map((inflate) => {
        try {
          return inflate?.('zlib', bad, Buffer.alloc(content.length));
        } catch {
          return 'refused';
        }
      });
      expect(answers[0]).toBe(answers[1]);
    }
  });
});

describe('chooseInflate', () => {
  test('takes libdeflate where it is, unless zlib is asked for', () => {
    expect(chooseInflate('zlib').implementation).toMatch(/^zlib \d/);
    expect(chooseInflate(undefined).implementation).toMatch(libdeflate ? /^libdeflate/ : /^zlib/);
  });
});
