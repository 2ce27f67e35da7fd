// Mounts small file systems: needs root and mount(8). What a full or read-only disk answers is the kernel's to say, not a fake's.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { requireTool } from '../../testing/require-tool.ts';
import { nodeStorage } from './node-storage.ts';

const MIB = 1024 * 1024;

/** True when this process may mount; containers often forbid it. */
function canMount(): boolean {
  if (!requireTool('mount') || !requireTool('umount')) return false;
  const point = mkdtempSync(join(tmpdir(), 'airlift-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', point], { stdio: 'pipe' });
    execFileSync('umount', [point]);
    return true;
  } catch (cause) {
    if (process.env.AIRLIFT_REQUIRE_TOOLS) throw new Error('mounting a tmpfs is not allowed here', { cause });
    console.warn('skipped: mounting a tmpfs is not allowed here (needs root)');
    return false;
  } finally {
    rmSync(point, { recursive: true });
  }
}

describe.skipIf(!canMount())('the storage of a file system of 8 MiB', () => {
  let point: string;
  const at = (...names: string[]) => join(point, ...names);
  const fillUp = () => expect(() => writeFileSync(at('filler'), Buffer.alloc(16 * MIB))).toThrow('ENOSPC');
  beforeEach(() => {
    point = mkdtempSync(join(tmpdir(), 'airlift-mount-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', point]);
  });
  afterEach(() => {
    execFileSync('umount', [point]);
    rmSync(point, { recursive: true });
  });

  test('names a full disk with what is free, and keeps what was written before', async () => {
    await using file = await nodeStorage.openFolder(point).openFile('disk', { create: true });
    await file.truncate(64 * MIB);
    const fill = async () => {
      for (let offset = 0; offset < 64 * MIB; offset += MIB) await file.write(offset, Buffer.alloc(MIB, 7));
    };
    await expect(fill()).rejects.toMatchObject({
      code: 'TargetFull',
      message: expect.stringMatching(new RegExp(`cannot write ${at('disk')}: ENOSPC \\(\\S+ \\S+ free there\\)`)),
      context: { path: at('disk'), errno: 'ENOSPC' },
    });
    const into = Buffer.alloc(MIB);
    expect(await file.read(0, into)).toBe(MIB);
    expect(into.equals(Buffer.alloc(MIB, 7))).toBe(true);
    expect(await nodeStorage.freeBytes(at('not', 'yet'))).toBeLessThan(MIB);
  });

  test('replaces a small file not at all when there is no space for the new one, and leaves no temporary', async () => {
    const folder = nodeStorage.openFolder(point);
    await folder.replaceFile('state', Buffer.from('before'));
    fillUp();
    await expect(folder.replaceFile('state', Buffer.alloc(60_000, 1))).rejects.toMatchObject({ code: 'TargetFull' });
    expect(readdirSync(point).toSorted()).toEqual(['filler', 'state']);
    expect(Buffer.from((await folder.readSmallFile('state', 100)) ?? []).toString()).toBe('before');

    rmSync(at('filler'));
    await folder.replaceFile('state', Buffer.from('after'));
    expect(readFileSync(at('state'), 'utf8')).toBe('after');
  });

  test('reads a small file up to its bound and allocates nothing for a larger one', async () => {
    const folder = nodeStorage.openFolder(point);
    await folder.replaceFile('state', Buffer.alloc(100, 1));
    expect(await folder.readSmallFile('state', 100)).toHaveLength(100);
    await expect(folder.readSmallFile('state', 99)).rejects.toThrow('has 100 bytes; 99 are allowed');
    await using vast = await folder.openFile('vast', { create: true });
    await vast.truncate(2 ** 42);
    await expect(folder.readSmallFile('vast', 64 * 1024)).rejects.toThrow('65536 are allowed');
  });

  test('makes folders up to the one there is, and gives a folder a new name only where nothing is', async () => {
    expect(await nodeStorage.makeFolder(at('a', 'b', 'c'))).toBe(at('a'));
    expect(await nodeStorage.makeFolder(at('a', 'b', 'd'))).toBe(at('a', 'b', 'd'));
    expect(await nodeStorage.makeFolder(at('a', 'b'))).toBeUndefined();
    writeFileSync(at('a', 'b', 'c', 'disk'), '1');
    for (const taken of [at('a', 'b', 'd'), at('a')])
      await expect(nodeStorage.moveFolder(at('a', 'b', 'c'), taken)).rejects.toMatchObject({ code: 'TargetExists' });
    await nodeStorage.moveFolder(at('a', 'b', 'c'), at('moved'));
    expect(readFileSync(at('moved', 'disk'), 'utf8')).toBe('1');
    expect(readdirSync(at('a', 'b'))).toEqual(['d']);
  });

  test('a folder cannot move to another file system, which is named and leaves it in its place', async () => {
    mkdirSync(at('from'));
    await expect(nodeStorage.moveFolder(at('from'), `${point}-elsewhere`)).rejects.toMatchObject({
      code: 'TargetWriteFailed',
      context: { errno: 'EXDEV' },
    });
    expect(readdirSync(point)).toEqual(['from']);
  });

  test('that is read-only refuses every change as not writable, and can still be read', async () => {
    const folder = nodeStorage.openFolder(point);
    await folder.replaceFile('state', Buffer.from('before'));
    mkdirSync(at('machine'));
    execFileSync('mount', ['-o', 'remount,ro', point]);
    const refused = { code: 'TargetNotWritable', context: { errno: 'EROFS' } };
    await expect(folder.openFile('disk', { create: true })).rejects.toMatchObject(refused);
    await expect(folder.replaceFile('state', Buffer.from('after'))).rejects.toMatchObject(refused);
    await expect(folder.removeFile('state')).rejects.toMatchObject(refused);
    await expect(nodeStorage.makeFolder(at('a', 'b'))).rejects.toMatchObject(refused);
    await expect(nodeStorage.moveFolder(at('machine'), at('moved'))).rejects.toMatchObject(refused);
    await expect(nodeStorage.removeFolder(at('machine'))).rejects.toMatchObject(refused);
    await expect(nodeStorage.lockFolder(point)).rejects.toMatchObject(refused);
    expect(await nodeStorage.findWriteProblem(at('a'))).toBe(`${point} may not be written (EROFS)`);
    expect((await folder.listFiles()).toSorted()).toEqual(['machine', 'state']);
    expect(readFileSync(at('state'), 'utf8')).toBe('before');
  });
});
