import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { onStorage } from '../../formats/storage-problem.ts';
import { collect } from '../../testing/collect.ts';
import { nodeStorage } from './node-storage.ts';

let root: string;
const at = (...names: string[]) => join(root, ...names);
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'airlift-storage-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

describe('a file', () => {
  test('keeps what was written and counts only what takes up space', async () => {
    await using file = await nodeStorage.openFolder(root).openFile('disk', { create: true });
    await file.truncate(16 * 1024 * 1024);
    await file.write(8 * 1024 * 1024, Buffer.alloc(65_536, 5));
    await file.sync();
    expect(await file.sizeBytes()).toBe(16 * 1024 * 1024);
    expect(await file.allocatedBytes()).toBeGreaterThanOrEqual(65_536);
    expect(await file.allocatedBytes()).toBeLessThan(1024 * 1024);
    const into = Buffer.alloc(4, 1);
    expect(await file.read(8 * 1024 * 1024 - 2, into)).toBe(4);
    expect([...into]).toEqual([0, 0, 5, 5]);
  });

  test('reads as far as it reaches', async () => {
    await using file = await nodeStorage.openFolder(root).openFile('short', { create: true });
    await file.write(0, Buffer.from('abc'));
    expect(await file.read(1, Buffer.alloc(10))).toBe(2);
    expect(await file.read(99, Buffer.alloc(10))).toBe(0);
  });

  test('tells where its data is, and under which path another thread may open it', async () => {
    await using file = await nodeStorage.openFolder(root).openFile('disk', { create: true });
    await file.truncate(16 * 1024 * 1024);
    await file.write(8 * 1024 * 1024, Buffer.alloc(65_536, 5));
    await file.sync();
    expect(file.path).toBe(at('disk'));
    if (file.dataExtents === undefined) expect.fail('a real file tells extents');
    const extents = await collect(file.dataExtents());
    const isCovered = extents.some(({ offset, length }) => offset <= 8 << 20 && offset + length >= (8 << 20) + 65_536);
    expect(isCovered).toBe(true);
    await file.truncate(0);
    expect(await collect(file.dataExtents())).toEqual([]);
  });

  test('is not made anew when it exists, and not at all unless asked for', async () => {
    const folder = nodeStorage.openFolder(root);
    expect(await folder.openFile('disk')).toBeUndefined();
    writeFileSync(at('disk'), 'old');
    await using file = await folder.openFile('disk', { create: true });
    expect(await file.sizeBytes()).toBe(3);
  });
});

describe('a small file', () => {
  test('is replaced as a whole and leaves no other file', async () => {
    const folder = nodeStorage.openFolder(root);
    expect(await folder.readSmallFile('state', 10)).toBeUndefined();
    await folder.replaceFile('state', Buffer.from('a long first text'));
    await folder.replaceFile('state', Buffer.from('new'));
    expect(Buffer.from((await folder.readSmallFile('state', 10)) ?? []).toString()).toBe('new');
    expect(readdirSync(root)).toEqual(['state']);
  });

  test('that is larger than it may be is not read', async () => {
    writeFileSync(at('state'), Buffer.alloc(11));
    await expect(nodeStorage.openFolder(root).readSmallFile('state', 10)).rejects.toThrow(RangeError);
  });

  test('that cannot be replaced keeps its content, and the new text is removed', async () => {
    mkdirSync(at('state'));
    await expect(nodeStorage.openFolder(root).replaceFile('state', Buffer.from('new'))).rejects.toMatchObject({
      code: 'TargetWriteFailed',
      message: expect.stringContaining('EISDIR'),
    });
    expect(readdirSync(root)).toEqual(['state']);
  });
});

describe('folders', () => {
  test('are made with their parents, and the topmost new one is told', async () => {
    expect(await nodeStorage.makeFolder(at('a', 'b', 'c'))).toBe(at('a'));
    expect(await nodeStorage.makeFolder(at('a', 'b', 'c'))).toBeUndefined();
  });

  test('are moved in one step, never onto something', async () => {
    mkdirSync(at('from'));
    writeFileSync(at('from', 'disk'), '1');
    mkdirSync(at('empty'));
    mkdirSync(at('full'));
    writeFileSync(at('full', 'other'), '2');
    symlinkSync('nowhere', at('link'));
    for (const taken of ['empty', 'full', 'link'])
      await expect(nodeStorage.moveFolder(at('from'), at(taken))).rejects.toMatchObject({ code: 'TargetExists' });
    await nodeStorage.moveFolder(at('from'), at('to'));
    expect(readFileSync(at('to', 'disk'), 'utf8')).toBe('1');
    expect(readdirSync(root)).toEqual(['empty', 'full', 'link', 'to']);
  });

  test('that are removed if empty stay when they are not, and missing ones are fine', async () => {
    mkdirSync(at('a', 'b'), { recursive: true });
    await nodeStorage.removeFolderIfEmpty(at('a'));
    expect(readdirSync(root)).toEqual(['a']);
    await nodeStorage.removeFolderIfEmpty(at('a', 'b'));
    await nodeStorage.removeFolderIfEmpty(at('a'));
    await nodeStorage.removeFolderIfEmpty(at('a'));
    expect(readdirSync(root)).toEqual([]);
  });

  test('are removed with all in them, and what a link points at stays', async () => {
    writeFileSync(at('precious'), '1');
    mkdirSync(at('a'));
    symlinkSync(at('precious'), at('a', 'link'));
    await nodeStorage.removeFolder(at('a'));
    await nodeStorage.removeFolder(at('a'));
    expect(readdirSync(root)).toEqual(['precious']);
  });
});

describe('looking before writing', () => {
  test('free space and permission are those of the nearest folder that exists', async () => {
    expect(await nodeStorage.freeBytes(at('a', 'b'))).toBeGreaterThan(0);
    expect(await nodeStorage.findWriteProblem(at('a', 'b'))).toBeUndefined();
  });

  test('a file in the place of a folder is named', async () => {
    writeFileSync(at('file'), '');
    expect(await nodeStorage.findWriteProblem(at('file'))).toBe(`${at('file')} is not a folder`);
    expect(await nodeStorage.findWriteProblem(at('file', 'out'))).toBe(`${at('file')} is not a folder`);
  });

  test('a link to a folder is as good as the folder', async () => {
    mkdirSync(at('folder'));
    symlinkSync('folder', at('link'));
    expect(await nodeStorage.findWriteProblem(at('link'))).toBeUndefined();
  });
});

describe('a failure of the system', () => {
  test.each([
    ['ENOSPC', 'write', 'TargetFull'],
    ['EDQUOT', 'write', 'TargetFull'],
    ['EROFS', 'write', 'TargetNotWritable'],
    ['EACCES', 'write', 'TargetNotWritable'],
    ['EPERM', 'write', 'TargetNotWritable'],
    ['EIO', 'write', 'TargetWriteFailed'],
    ['EFBIG', 'write', 'TargetWriteFailed'],
    ['EIO', 'read', 'TargetReadFailed'],
    ['ESTALE', 'read', 'TargetReadFailed'],
  ] as const)('%s on %s is %s, names the path and keeps its cause', async (code, kind, problem) => {
    const cause = Object.assign(new Error(code), { code, syscall: kind });
    await expect(onStorage('use', at('disk'), kind, () => Promise.reject(cause))).rejects.toMatchObject({
      code: problem,
      cause,
      message: expect.stringContaining(`cannot use ${at('disk')}: ${code}`),
      context: { path: at('disk'), errno: code },
    });
  });

  test('a full disk says how much is free', async () => {
    const cause = Object.assign(new Error(), { code: 'ENOSPC', syscall: 'write' });
    await expect(onStorage('write', at('disk'), 'write', () => Promise.reject(cause))).rejects.toThrow(
      /[KMGT]iB free there/,
    );
  });

  test('what is no failure of the system passes as it is', async () => {
    const bug = new TypeError('a bug');
    await expect(onStorage('use', root, 'write', () => Promise.reject(bug))).rejects.toBe(bug);
  });
});
