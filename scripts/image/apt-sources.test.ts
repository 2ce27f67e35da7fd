import { describe, expect, test } from 'vitest';
import { readAptSources } from './apt-sources.ts';
import { fakeRun } from './testing/fake-run.ts';

const MACHINE = [
  'http://mirror.site/debian/\tDebian\tbookworm\t/etc/apt/sources.list.d/debian.sources:1',
  'http://mirror.site/debian/\tDebian\tbookworm-updates\t/etc/apt/sources.list.d/debian.sources:1',
  'http://mirror.site/debian-security/\tDebian\tbookworm-security\t/etc/apt/sources.list.d/debian.sources:2',
  'https://vendor.site/node/\tVendor\tnodistro\t/etc/apt/sources.list.d/vendor.sources:1',
].join('\n');

describe('readAptSources', () => {
  test("names Debian's repositories, files and release once each, and leaves others out", async () => {
    const { run, calls } = fakeRun(() => `${MACHINE}\n`);
    expect(await readAptSources(run)).toEqual({
      repositories: ['http://mirror.site/debian/', 'http://mirror.site/debian-security/'],
      files: ['/etc/apt/sources.list.d/debian.sources'],
      releases: ['bookworm'],
    });
    expect(calls.map(({ program, args }) => `${program} ${args[0]}`)).toEqual(['apt-get indextargets']);
  });

  test('before the first `apt-get update` apt knows addresses only, and all of them may serve', async () => {
    const unknown = 'http://mirror.site/debian/\t$(ORIGIN)\t$(CODENAME)\t/etc/apt/sources.list:3\n';
    expect(await readAptSources(fakeRun(() => unknown).run)).toEqual({
      repositories: ['http://mirror.site/debian/'],
      files: ['/etc/apt/sources.list'],
      releases: [],
    });
  });

  test('a machine without a repository is told', async () => {
    await expect(readAptSources(fakeRun(() => '').run)).rejects.toThrow('no repository of Debian');
  });

  test('a failing apt is quoted', async () => {
    const { run } = fakeRun(() => ({ status: 100, stderr: 'E: Malformed entry 1' }));
    await expect(readAptSources(run)).rejects.toThrow('E: Malformed entry 1');
  });
});
