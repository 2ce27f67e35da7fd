import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type DistributionLock, readDistributionLock, writeDistributionLock } from './distribution-lock.ts';
import { scratchFolder } from './testing/scratch-folder.ts';

const FILE = {
  version: '1.14-1',
  path: 'pool/main/libd/libdeflate/libdeflate0_1.14-1_amd64.deb',
  sizeBytes: 61_000,
  sha256: 'ab'.repeat(32),
};
const LOCK: DistributionLock = { release: 'bookworm', packages: { libdeflate0: { purpose: 'inflates', amd64: FILE } } };

describe('the lock of distribution packages', () => {
  test('is read as it was written, and nothing is left beside it', async () => {
    using folder = scratchFolder();
    const path = join(folder.path, 'packages.lock.json');
    await writeDistributionLock(path, LOCK);
    expect(await readDistributionLock(path)).toEqual(LOCK);
    expect(readdirSync(folder.path)).toEqual(['packages.lock.json']);
  });

  test.each([
    ['a digest that is none', { sha256: 'ab' }],
    ['an address instead of a path', { path: 'http://mirror/pool/x.deb' }],
    ['a path out of the pool', { path: '../x.deb' }],
    ['no size', { sizeBytes: Number.NaN }],
  ])('refuses %s', async (_what, wrong) => {
    using folder = scratchFolder();
    const path = join(folder.path, 'packages.lock.json');
    const packages = { libdeflate0: { purpose: 'inflates', amd64: { ...FILE, ...wrong } } };
    await expect(writeDistributionLock(path, { ...LOCK, packages })).rejects.toThrow();
    writeFileSync(path, JSON.stringify({ ...LOCK, packages }));
    await expect(readDistributionLock(path)).rejects.toThrow();
  });

  test('is whole: each package of ours has a purpose and a file for each platform', async () => {
    const { packages } = await readDistributionLock(join(import.meta.dirname, '../../image/packages.lock.json'));
    expect(Object.keys(packages)).toContain('libc6');
    for (const [name, each] of Object.entries(packages)) {
      expect(each, name).toMatchObject({
        purpose: expect.any(String),
        amd64: expect.anything(),
        arm64: expect.anything(),
      });
    }
  });
});
