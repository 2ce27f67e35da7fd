import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DISK_FILE, FolderVolume } from '../targets/block-pvc/folder-volume.ts';
import { nodeStorage } from '../targets/dir/node-storage.ts';
import { openVolume } from './open-volume.ts';

const MIB = 1024 * 1024;
let path: string;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'airlift-volume-'));
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

function open(totalBytes = 100 * MIB): FolderVolume {
  return new FolderVolume(nodeStorage.openFolder(path), { totalBytes: async () => totalBytes });
}

describe('a volume with a file system', () => {
  test('takes the disk as a sparse file where KubeVirt looks for it, and leaves other files alone', async () => {
    writeFileSync(join(path, 'other'), 'mine');
    await using volume = open();
    expect(await volume.hasDisk()).toBe(false);
    await using disk = await volume.openDisk(64 * MIB, { isContinued: false });
    expect(disk.isKnownZero).toBe(true);
    await disk.write(8 * MIB, Buffer.alloc(MIB, 1));
    await disk.finish();
    expect(statSync(join(path, DISK_FILE)).size).toBe(64 * MIB);
    expect(await volume.allocatedBytes()).toBeLessThan(2 * MIB);
    expect(await volume.hasDisk()).toBe(true);
    expect(readdirSync(path).toSorted()).toEqual([DISK_FILE, 'other']);
  });

  test('what was on it does not show through the holes of another disk', async () => {
    writeFileSync(join(path, DISK_FILE), Buffer.alloc(2 * MIB, 7));
    await using volume = open();
    await using disk = await volume.openDisk(4 * MIB, { isContinued: false });
    await disk.finish();
    const into = Buffer.alloc(2 * MIB, 1);
    await disk.read(0, into);
    expect(into.every((each) => each === 0)).toBe(true);
  });

  test('what an earlier run wrote stays when it is continued', async () => {
    writeFileSync(join(path, DISK_FILE), Buffer.alloc(2 * MIB, 7));
    await using volume = open();
    await using disk = await volume.openDisk(2 * MIB, { isContinued: true });
    const into = Buffer.alloc(MIB);
    await disk.read(MIB, into);
    expect(into.every((each) => each === 7)).toBe(true);
  });

  test('that is too small is refused before anything is written: the guest would find out when it is full', async () => {
    await using volume = open(63 * MIB);
    await expect(volume.openDisk(64 * MIB, { isContinued: false })).rejects.toMatchObject({
      code: 'TargetTooSmall',
      message: expect.stringMatching(/63 MiB .* 64 MiB/),
    });
    expect(readdirSync(path)).toEqual([]);
  });

  test('its size is that of the whole file system', async () => {
    await using volume = await openVolume(path);
    await expect(volume.openDisk(2 ** 60, { isContinued: false })).rejects.toMatchObject({ code: 'TargetTooSmall' });
  });
});

test('what is no folder is opened as a device, which tells what is wrong', async () => {
  await expect(openVolume(join(path, 'missing'))).rejects.toMatchObject({
    message: expect.stringContaining('missing'),
  });
});
