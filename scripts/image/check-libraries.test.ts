import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkLibraries, mergedPath } from './check-libraries.ts';
import { ImageTree } from './image-tree.ts';
import { parsePlatforms } from './platforms.ts';
import { buildElf } from './testing/build-elf.ts';
import { scratchFolder } from './testing/scratch-folder.ts';

const [amd64, arm64] = parsePlatforms('amd64,arm64');
if (amd64 === undefined || arm64 === undefined) throw new Error('both platforms are known');
const LOADER = '/lib64/ld-linux-x86-64.so.2';

function distribution(): ImageTree {
  const tree = new ImageTree();
  tree.addFile('usr/lib/x86_64-linux-gnu/libc.so.6', buildElf({ machine: 62 }));
  tree.addLink('usr/lib64/ld-linux-x86-64.so.2', '/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2');
  return tree;
}

function program(bytes: Buffer): ImageTree {
  const tree = new ImageTree();
  tree.addFile('usr/bin/node', bytes, { mode: 0o755 });
  return tree;
}

describe('checkLibraries', () => {
  test('counts what finds everything, also across layers', () => {
    const node = program(buildElf({ machine: 62, needed: ['libc.so.6'], interpreter: LOADER }));
    node.addFile('opt/airlift/LICENSE', 'text');
    expect(checkLibraries([distribution(), node], amd64)).toBe(2);
  });

  test('names a library that no layer brings, and who needs it', () => {
    const node = program(buildElf({ machine: 62, needed: ['libc.so.6', 'libatomic.so.1'], interpreter: LOADER }));
    expect(() => checkLibraries([distribution(), node], amd64)).toThrow(/usr\/bin\/node needs libatomic\.so\.1/);
  });

  test('a library in a folder that the loader does not search is not found', () => {
    const node = program(buildElf({ machine: 62, needed: ['libodd.so.1'] }));
    node.addFile('usr/lib/odd/libodd.so.1', 'x');
    expect(() => checkLibraries([node], amd64)).toThrow('libodd.so.1');
  });

  test('names a file for another processor', () => {
    expect(() => checkLibraries([distribution()], arm64)).toThrow(/libc\.so\.6 is for another processor .*62, not 183/);
  });

  test('names a loader that is missing', () => {
    const node = program(buildElf({ machine: 62, interpreter: '/lib/ld-musl-x86_64.so.1' }));
    expect(() => checkLibraries([distribution(), node], amd64)).toThrow('started by /lib/ld-musl-x86_64.so.1');
  });

  test('looks into files on disk as well', () => {
    using folder = scratchFolder();
    const path = join(folder.path, 'node');
    const elf = buildElf({ machine: 183, needed: ['libc.so.6'] });
    writeFileSync(path, elf);
    const tree = new ImageTree();
    tree.addFile('usr/bin/node', { path, sizeBytes: elf.length });
    expect(() => checkLibraries([distribution(), tree], amd64)).toThrow('usr/bin/node is for another processor');
  });
});

test.each([
  ['/lib/x86_64-linux-gnu/libc.so.6', 'usr/lib/x86_64-linux-gnu/libc.so.6'],
  ['lib64/ld-linux-x86-64.so.2', 'usr/lib64/ld-linux-x86-64.so.2'],
  ['usr/lib/libx.so', 'usr/lib/libx.so'],
  ['/library/x', 'library/x'],
])('%s lies at %s', (path, merged) => {
  expect(mergedPath(path)).toBe(merged);
});
