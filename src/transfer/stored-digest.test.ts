import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { loadLibcryptoHashes } from './libcrypto-hashes.ts';
import { type HashFactory, nodeHashes, StoredDigest, type StoredPart } from './stored-digest.ts';

const bytes = Buffer.from(Array.from({ length: 5000 }, (_, index) => (index * 31) % 256));
const parts: StoredPart[] = [
  { name: 'a', storedBytes: 1500, algorithms: ['sha1'] },
  { name: 'empty', storedBytes: 0, algorithms: ['sha256'] },
  { name: 'b', storedBytes: 3500, algorithms: ['sha256', 'sha512'] },
];
const expected = [
  [createHash('sha1').update(bytes.subarray(0, 1500)).digest('hex')],
  [createHash('sha256').digest('hex')],
  [
    createHash('sha256').update(bytes.subarray(1500)).digest('hex'),
    createHash('sha512').update(bytes.subarray(1500)).digest('hex'),
  ],
];
const libcrypto = loadLibcryptoHashes();
const factories: HashFactory[] = libcrypto === undefined ? [nodeHashes] : [nodeHashes, libcrypto];

function feed(digest: StoredDigest, from: number, to: number, step: number): void {
  for (let at = from; at < to; at += step) digest.update(at, bytes.subarray(at, Math.min(at + step, to)));
}

describe.each(factories)('StoredDigest with $implementation', (hashes) => {
  test.each([1, 7, 1499, 1500, 1501, 5000])('gives the digest of each part when bytes arrive %i at a time', (step) => {
    const digest = new StoredDigest(parts, hashes);
    feed(digest, 0, bytes.length, step);
    expect(digest.finish()).toEqual(expected);
  });

  test('ignores bytes that were hashed before and refuses to leave some out', () => {
    const digest = new StoredDigest(parts, hashes);
    feed(digest, 0, 2000, 100);
    feed(digest, 0, 5000, 333);
    expect(digest.finish()).toEqual(expected);
    expect(() => new StoredDigest(parts, hashes).update(10, bytes)).toThrow('cannot skip');
  });
});

describe('a stored state', () => {
  test.runIf(libcrypto)('continues in another process with libcrypto, from any place', () => {
    for (const stop of [0, 1, 700, 1500, 1501, 3333, 5000]) {
      const first = new StoredDigest(parts, libcrypto as HashFactory);
      feed(first, 0, stop, 64);
      const state = JSON.parse(JSON.stringify(first.saveState()));
      const second = new StoredDigest(parts, libcrypto as HashFactory, state);
      expect(second.position).toBe(stop);
      feed(second, stop, bytes.length, 999);
      expect(second.finish()).toEqual(expected);
    }
  });

  test('is not offered by node:crypto, and one from elsewhere starts it over', () => {
    const digest = new StoredDigest(parts, nodeHashes);
    feed(digest, 0, 700, 64);
    expect(digest.saveState()).toBeUndefined();
    const other = new StoredDigest(parts, nodeHashes, { position: 700, finished: [], states: ['AAAA'] });
    expect(other.position).toBe(0);
    feed(other, 0, bytes.length, 64);
    expect(other.finish()).toEqual(expected);
  });

  test('libraries that do not exist give no factory', () => {
    expect(loadLibcryptoHashes(['libdoes-not-exist.so.9'])).toBeUndefined();
  });
});
