import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { collect } from '../../src/testing/collect.ts';
import { requireTool } from '../../src/testing/require-tool.ts';
import { buildDistributionLayer, licensesOf } from './distribution-layer.ts';
import type { ImageTree } from './image-tree.ts';
import { parsePlatforms } from './platforms.ts';
import { readDeb } from './read-deb.ts';
import { runProgram } from './run-program.ts';
import { buildDeb } from './testing/build-deb.ts';
import { scratchFolder } from './testing/scratch-folder.ts';

const [platform] = parsePlatforms('amd64');
if (platform === undefined) throw new Error('amd64 is known');
const about = { release: 'bookworm', platform, run: runProgram };

function textOf(tree: ImageTree, path: string): string | undefined {
  const entry = tree.get(path);
  return entry?.type === 'file' && entry.content instanceof Uint8Array
    ? Buffer.from(entry.content).toString()
    : undefined;
}

describe.skipIf(!requireTool('dpkg-deb'))('the layer of the distribution', () => {
  test('keeps libraries and licences, at their merged places, and no program, script or documentation', async () => {
    using folder = scratchFolder();
    const libc = buildDeb(folder.path, 'libc6', {
      'lib/x86_64-linux-gnu/libc.so.6': { text: 'the library', mode: 0o755 },
      'lib/x86_64-linux-gnu/ld-linux-x86-64.so.2': { text: 'the loader', mode: 0o755 },
      'lib64/ld-linux-x86-64.so.2': { to: '/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2' },
      'usr/lib/x86_64-linux-gnu/gconv/IBM037.so': 'a character set',
      'usr/lib/x86_64-linux-gnu/libc.a': 'for linking',
      'usr/sbin/ldconfig': { text: '#!/bin/sh', mode: 0o755 },
      'usr/share/doc/libc6/copyright': 'see /usr/share/common-licenses/LGPL-2.1.',
      'usr/share/doc/libc6/changelog.gz': 'long',
      'etc/ld.so.conf.d/x.conf': '/odd',
    });
    const { tree, components } = await buildDistributionLayer([libc], about);
    const files = tree.entries().flatMap(([path, { type }]) => (type === 'folder' ? [] : [path]));
    expect(files).toEqual([
      'bin',
      'etc/group',
      'etc/nsswitch.conf',
      'etc/passwd',
      'etc/ssl/certs/ca-certificates.crt',
      'lib',
      'lib64',
      'sbin',
      'usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2',
      'usr/lib/x86_64-linux-gnu/libc.so.6',
      'usr/lib64/ld-linux-x86-64.so.2',
      'usr/share/doc/libc6/copyright',
      'var/lib/dpkg/status.d/libc6',
    ]);
    expect(tree.get('lib')).toEqual({ type: 'link', to: 'usr/lib' });
    expect(tree.get('usr/lib/x86_64-linux-gnu/libc.so.6')).toMatchObject({ mode: 0o755 });
    expect(textOf(tree, 'var/lib/dpkg/status.d/libc6')).toMatch(/^Package: libc6\n(.*\n)*Version: 1\.0-1$/m);
    expect(components).toEqual([
      {
        kind: 'library',
        name: 'libc6',
        version: '1.0-1',
        purl: 'pkg:deb/debian/libc6@1.0-1?arch=amd64&distro=debian-bookworm',
        digest: { algorithm: 'SHA-256', value: libc.file.sha256 },
        licenses: ['LGPL-2.1'],
      },
    ]);
  });

  test('has a user that is not root, places to mount on, and a /tmp for everybody', async () => {
    const { tree } = await buildDistributionLayer([], about);
    expect(textOf(tree, 'etc/passwd')).toContain('airlift:x:107:107:');
    expect(textOf(tree, 'etc/nsswitch.conf')).toContain('hosts: files dns');
    expect(tree.get('tmp')).toEqual({ type: 'folder', mode: 0o1777, ownerId: 0 });
    expect(tree.get('data')).toEqual({ type: 'folder', mode: 0o755, ownerId: 107 });
    expect(tree.get('proc')).toMatchObject({ type: 'folder' });
  });

  test('makes one bundle of the authorities, which come as single files', async () => {
    using folder = scratchFolder();
    const certificates = buildDeb(folder.path, 'ca-certificates', {
      'usr/share/ca-certificates/mozilla/Two.crt': '-----BEGIN CERTIFICATE-----\nTWO\n-----END CERTIFICATE-----\n',
      'usr/share/ca-certificates/mozilla/One.crt': '-----BEGIN CERTIFICATE-----\nONE\n-----END CERTIFICATE-----\n',
    });
    const { tree } = await buildDistributionLayer([certificates], about);
    expect(textOf(tree, 'etc/ssl/certs/ca-certificates.crt')).toBe(
      '-----BEGIN CERTIFICATE-----\nONE\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\nTWO\n-----END CERTIFICATE-----\n',
    );
    expect(tree.entries().some(([path]) => path.endsWith('.crt') && path.includes('mozilla'))).toBe(false);
  });

  test('a package whose licence is a link to that of another one keeps the link, and has that licence', async () => {
    using folder = scratchFolder();
    const library = buildDeb(folder.path, 'libgcc-s1', { 'usr/share/doc/libgcc-s1': { to: 'gcc-12-base' } });
    const base = buildDeb(folder.path, 'gcc-12-base', {
      'usr/share/doc/gcc-12-base/copyright': 'see /usr/share/common-licenses/GPL-3',
    });
    const { tree, components } = await buildDistributionLayer([library, base], about);
    expect(components.map(({ licenses }) => licenses)).toEqual([['GPL-3'], ['GPL-3']]);
    expect(tree.get('usr/share/doc/libgcc-s1')).toEqual({ type: 'link', to: 'gcc-12-base' });
  });

  test('a damaged package is named', async () => {
    using folder = scratchFolder();
    const { path } = buildDeb(folder.path, 'libc6', { 'lib/libc.so.6': Buffer.alloc(100_000, 'library') });
    const bytes = readFileSync(path);
    const damaged = join(folder.path, 'damaged.deb');
    for (const broken of [bytes.subarray(0, bytes.length - 100), Buffer.from('no package')]) {
      writeFileSync(damaged, broken);
      await expect(collect(readDeb(damaged, () => true))).rejects.toThrow(/unpack .*damaged\.deb/);
    }
  });
});

describe('licensesOf', () => {
  test('takes the names of a machine-readable file, and what it refers to', () => {
    const copyright = [
      'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/',
      'License: Expat',
      'License: GPL-2+',
      ' On Debian systems the text is in /usr/share/common-licenses/GPL-2.',
      'License: Expat',
    ].join('\n');
    expect(licensesOf(copyright)).toEqual(['Expat', 'GPL-2', 'GPL-2+']);
  });

  test('takes only references from prose, in which "License:" is any word', () => {
    expect(licensesOf('License: see below\nas in /usr/share/common-licenses/LGPL-2.1.')).toEqual(['LGPL-2.1']);
    expect(licensesOf('')).toEqual([]);
  });
});
