import { createHash } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { fetchPackage } from './fetch-package.ts';
import { type Call, fakeRun } from './testing/fake-run.ts';
import { scratchFolder } from './testing/scratch-folder.ts';

const CONTENT = 'a package';
const FILE = {
  version: '3.0.22-1~deb12u2',
  path: 'pool/updates/main/o/openssl/libssl3_3.0.22-1~deb12u2+b1_amd64.deb',
  sizeBytes: CONTENT.length,
  sha256: createHash('sha256').update(CONTENT).digest('hex'),
};
const repositories = ['http://mirror/debian/', 'http://mirror/debian-security/'];

/** apt-helper: writes the content for addresses below `base`, and fails for others as apt does. */
function mirror(base: string, content = CONTENT) {
  return fakeRun(({ args }: Call) => {
    const [uri = '', path = ''] = args.slice(args.indexOf('download-file') + 1);
    if (!uri.startsWith(base)) {
      writeFileSync(`${path}.FAILED`, 'not found');
      return { status: 100, stderr: `Err:1 ${uri}\nE: Failed to fetch ${uri}  404  Not Found` };
    }
    writeFileSync(path, content);
    return '';
  });
}

describe('fetchPackage', () => {
  test('asks one repository after the other, and has the digest checked', async () => {
    using folder = scratchFolder();
    const { run, calls } = mirror('http://mirror/debian-security/');
    const path = await fetchPackage('libssl3', FILE, { repositories, cache: folder.path, run });
    expect(readdirSync(folder.path)).toEqual([path.slice(folder.path.length + 1)]);
    expect(calls).toHaveLength(2);
    // A plus sign means a space to some mirrors.
    expect(calls[1]?.args.join(' ')).toContain('libssl3_3.0.22-1~deb12u2%2Bb1_amd64.deb');
    expect(calls[1]?.args.at(-1)).toBe(`SHA256:${FILE.sha256}`);
  });

  test('what is there already is not fetched again, unless it is damaged', async () => {
    using folder = scratchFolder();
    const options = { repositories, cache: folder.path };
    const path = await fetchPackage('libssl3', FILE, { ...options, run: mirror('http://mirror/').run });
    const silent = mirror('nowhere');
    expect(await fetchPackage('libssl3', FILE, { ...options, run: silent.run })).toBe(path);
    expect(silent.calls).toEqual([]);

    writeFileSync(path, 'damaged');
    const again = mirror('http://mirror/');
    await fetchPackage('libssl3', FILE, { ...options, run: again.run });
    expect(again.calls).toHaveLength(1);
  });

  test('a version that has vanished is named, with what to run and what each repository said', async () => {
    using folder = scratchFolder();
    const failure = fetchPackage('libssl3', FILE, { repositories, cache: folder.path, run: mirror('nowhere').run });
    await expect(failure).rejects.toThrow(/^libssl3 3\.0\.22-1~deb12u2 cannot be had .*--update-lock/);
    await expect(failure).rejects.toThrow(/debian-security\/.*404 {2}Not Found/);
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test('a repository that gives other bytes is not believed, whatever apt says', async () => {
    using folder = scratchFolder();
    const { run } = mirror('http://mirror/', 'something else');
    await expect(fetchPackage('libssl3', FILE, { repositories, cache: folder.path, run })).rejects.toThrow('libssl3');
    expect(readdirSync(folder.path)).toEqual([]);
  });
});
