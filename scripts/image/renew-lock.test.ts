import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { DistributionLock } from './distribution-lock.ts';
import { PLATFORMS } from './platforms.ts';
import { parseControl, renewLock } from './renew-lock.ts';
import { type Call, fakeRun } from './testing/fake-run.ts';
import { scratchFolder } from './testing/scratch-folder.ts';

const LOCK: DistributionLock = { release: 'bookworm', packages: { libc6: { purpose: 'C library' } } };

function stanza(name: string, architecture: string): string {
  return [
    `Package: ${name}`,
    'Version: 2.36-9+deb12u14',
    'Description: GNU C Library',
    ' Contains: the standard libraries',
    `Filename: pool/main/g/glibc/${name}_${architecture}.deb`,
    'Size: 2759320',
    `SHA256: ${architecture === 'amd64' ? 'aa'.repeat(32) : 'bb'.repeat(32)}`,
    '',
    '',
  ].join('\n');
}

/** apt, which finds these packages; `seen` gets the configuration it was given. */
function apt(names: readonly string[], seen: string[] = []) {
  return fakeRun(({ program, args }: Call) => {
    const configuration = readFileSync(args[args.indexOf('-c') + 1] ?? '', 'utf8');
    seen.push(configuration);
    const architecture = /APT::Architecture "(.*)"/.exec(configuration)?.[1] ?? 'none';
    return program === 'apt-cache' ? names.map((name) => stanza(name, architecture)).join('') : '';
  });
}

function machine(folder: string) {
  const file = join(folder, 'debian.sources');
  writeFileSync(file, 'Types: deb\n');
  return { repositories: ['http://mirror/debian/'], files: [file], releases: ['bookworm'] };
}

describe('renewLock', () => {
  test('takes what apt would install, for each platform, and keeps the purpose', async () => {
    using folder = scratchFolder();
    const { packages } = await renewLock(LOCK, machine(folder.path), PLATFORMS, apt(['libc6']).run);
    expect(packages.libc6).toEqual({
      purpose: 'C library',
      amd64: {
        version: '2.36-9+deb12u14',
        path: 'pool/main/g/glibc/libc6_amd64.deb',
        sizeBytes: 2_759_320,
        sha256: 'aa'.repeat(32),
      },
      arm64: {
        version: '2.36-9+deb12u14',
        path: 'pool/main/g/glibc/libc6_arm64.deb',
        sizeBytes: 2_759_320,
        sha256: 'bb'.repeat(32),
      },
    });
    expect(LOCK.packages.libc6).toEqual({ purpose: 'C library' });
  });

  test("holds apt to a folder of its own with Debian's sources only, and removes it", async () => {
    using folder = scratchFolder();
    const seen: string[] = [];
    let sources: readonly string[] = [];
    const { run } = apt(['libc6'], seen);
    await renewLock(LOCK, machine(folder.path), PLATFORMS.slice(0, 1), async (program, args, options) => {
      const parts = /sourceparts "(.*)"/.exec(readFileSync(args[1] ?? '', 'utf8'))?.[1] ?? '';
      sources = readdirSync(parts);
      return run(program, args, options);
    });
    expect(sources).toEqual(['debian.sources']);
    const state = /Dir::State "(.*)"/.exec(seen[0] ?? '')?.[1] ?? '';
    expect(seen[0]).toContain(`Dir::State::status "${state}/status"`);
    expect(state).not.toBe('');
    expect(existsSync(state)).toBe(false);
  });

  test('a package that the release does not have is named', async () => {
    using folder = scratchFolder();
    const lock = { ...LOCK, packages: { ...LOCK.packages, libdeflate9: { purpose: 'x' } } };
    await expect(renewLock(lock, machine(folder.path), PLATFORMS, apt(['libc6']).run)).rejects.toThrow(
      'have no libdeflate9 for amd64',
    );
  });

  test('another release is not taken silently', async () => {
    using folder = scratchFolder();
    const trixie = { ...machine(folder.path), releases: ['trixie'] };
    await expect(renewLock(LOCK, trixie, PLATFORMS, apt(['libc6']).run)).rejects.toThrow(
      "for Debian bookworm and this machine's apt has trixie",
    );
  });
});

test('control stanzas keep colons in values and lines that go on', () => {
  const [first, second] = parseControl('A: http://x:1\nB: one\n two\n .\n three\n\n\nA: next\n');
  expect(first?.get('A')).toBe('http://x:1');
  expect(first?.get('B')).toBe('one\ntwo\n.\nthree');
  expect(second?.get('A')).toBe('next');
});
