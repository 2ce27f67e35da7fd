import { describe, expect, test } from 'vitest';
import { ImageTree } from './image-tree.ts';

describe('ImageTree', () => {
  test('makes the folders above a file, and lists a folder before what is in it', () => {
    const tree = new ImageTree();
    tree.addFile('usr/lib-x', 'b');
    tree.addFile('usr/lib/a', 'a');
    tree.addLink('bin', 'usr/bin');
    expect(tree.entries().map(([path, { type }]) => `${path} ${type}`)).toEqual([
      'bin link',
      'usr folder',
      'usr/lib folder',
      'usr/lib-x file',
      'usr/lib/a file',
    ]);
  });

  test('keeps the mode of a folder that something is put into later', () => {
    const tree = new ImageTree();
    tree.addFolder('tmp', { mode: 0o1777 });
    tree.addFile('tmp/x', '');
    expect(tree.get('tmp')).toMatchObject({ mode: 0o1777 });
  });

  test.each(['', '/etc/passwd', '../etc/passwd', 'a//b', 'a/./b', 'a/..'])('refuses the path "%s"', (path) => {
    expect(() => new ImageTree().addFile(path, '')).toThrow('not a path below the root');
  });

  test('refuses two entries for one path, which a layer would silently let win in some order', () => {
    const tree = new ImageTree();
    tree.addFile('etc/passwd', 'one');
    expect(() => tree.addFile('etc/passwd', 'two')).toThrow('two entries for etc/passwd');
    expect(() => tree.addFolder('etc/passwd')).toThrow('two entries for etc/passwd');
    expect(() => tree.addFile('etc/passwd/below', '')).toThrow('two entries for etc/passwd');
  });
});
