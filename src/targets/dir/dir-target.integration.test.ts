// Mounts small file systems: needs root and mount(8). What a full or read-only disk answers is the kernel's to say, not a fake's.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodePiece } from '../../formats/decode-piece.ts';
import { openLaneWriter } from '../../formats/lane-writer.ts';
import { readWholeDisk } from '../../testing/apply-disk-reader.ts';
import { collect } from '../../testing/collect.ts';
import { requireTool } from '../../testing/require-tool.ts';
import { openDirTarget } from './dir-target.ts';
import { openImportedDisk } from './open-imported-disk.ts';

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

describe.skipIf(!canMount())('a target on a file system of its own', () => {
  let point: string;
  const fill = (bytes: number) => writeFileSync(join(point, 'other'), Buffer.alloc(bytes));
  const remountReadOnly = () => execFileSync('mount', ['-o', 'remount,ro', point]);
  beforeEach(() => {
    point = mkdtempSync(join(tmpdir(), 'airlift-mount-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', point]);
  });
  afterEach(() => {
    execFileSync('umount', [point]);
    rmSync(point, { recursive: true });
  });

  test.each(['raw', 'qcow2'] as const)(
    'full midway, %s: the problem has the free space, and there is a way on',
    async (format) => {
      const target = await openDirTarget({ folder: join(point, 'out'), format });
      const piece = Buffer.alloc(MIB, 0xa5);
      {
        await using machine = await target.openMachine('vm');
        await using writer = await machine.openDisk(0, 64 * MIB);
        await writer.write(0, piece);
        writer.recordLeaf?.(0, new Uint8Array(32));
        await writer.flush();
        await machine.saveState('disk-0', Buffer.from('one leaf'));
        const fillUp = async () => {
          for (let offset = 4 * MIB; offset < 64 * MIB; offset += MIB) await writer.write(offset, piece);
        };
        await expect(fillUp()).rejects.toMatchObject({
          code: 'TargetFull',
          message: expect.stringMatching(/ENOSPC \(\S+ [KM]?i?B free there\)/),
        });
      }
      expect(readdirSync(join(point, 'out'))).toEqual(['vm.partial']);
      await using machine = await target.openMachine('vm');
      expect(machine.isContinued).toBe(true);
      expect(Buffer.from((await machine.loadState('disk-0')) ?? []).toString()).toBe('one leaf');
      await using writer = await machine.openDisk(0, 64 * MIB);
      const into = Buffer.alloc(MIB);
      await writer.read(0, into);
      expect(into.equals(piece)).toBe(true);
    },
  );

  test.each(['raw', 'qcow2'] as const)(
    'filled up by a lane, %s: the lane names the problem, and the checkpoint still finds room',
    async (format) => {
      const target = await openDirTarget({ folder: join(point, 'out'), format });
      const piece = Buffer.alloc(MIB, 0xa5);
      {
        await using machine = await target.openMachine('vm');
        await using writer = await machine.openDisk(0, 64 * MIB);
        if (writer.laneTarget === undefined) expect.fail('a real file has a target for lanes');
        using lane = openLaneWriter(writer.laneTarget, 64 * MIB);
        writer.adoptPlaces?.(lane.write(0, piece));
        writer.recordLeaf?.(0, new Uint8Array(32));
        const fillUp = () => {
          for (let offset = 4 * MIB; offset < 64 * MIB; offset += MIB) lane.write(offset, piece);
        };
        // The last of them was written in part, as far as there was room.
        expect(fillUp).toThrow(
          expect.objectContaining({ code: 'TargetFull', message: expect.stringMatching(/ENOSPC \(0 B free there\)/) }),
        );
        await writer.flush();
        await machine.saveState('disk-0', Buffer.alloc(8000, 'one leaf'));
      }
      await using machine = await target.openMachine('vm');
      expect(await machine.loadState('disk-0')).toHaveLength(8000);
      execFileSync('mount', ['-o', 'remount,size=16m', point]);
      await using writer = await machine.openDisk(0, 64 * MIB);
      expect(writer.hasLeaf?.(0)).toBe(true);
    },
  );

  test('a checkpoint that finds no space leaves the one before it', async () => {
    const target = await openDirTarget({ folder: join(point, 'out'), format: 'raw' });
    await using machine = await target.openMachine('vm');
    await machine.saveState('disk-0', Buffer.from('before'));
    expect(() => fill(16 * MIB)).toThrow('ENOSPC');
    await expect(machine.saveState('disk-0', Buffer.alloc(60_000))).rejects.toMatchObject({ code: 'TargetFull' });
    expect(Buffer.from((await machine.loadState('disk-0')) ?? []).toString()).toBe('before');
    expect(readdirSync(machine.partialLocation).toSorted()).toEqual(['disk-0.state', 'lock', 'machine']);
  });

  test('documents that find no space leave nothing that looks finished', async () => {
    const target = await openDirTarget({ folder: join(point, 'out'), format: 'raw' });
    await using machine = await target.openMachine('vm');
    await machine.saveState('disk-0', Buffer.from('done'));
    expect(() => fill(16 * MIB)).toThrow('ENOSPC');
    await expect(machine.finish([{ name: 'report.json', text: 'x'.repeat(60_000) }])).rejects.toMatchObject({
      code: 'TargetFull',
    });
    expect(existsSync(join(point, 'out', 'vm'))).toBe(false);
    rmSync(join(point, 'other'));
    await machine.finish([{ name: 'report.json', text: '{}' }]);
    expect(readdirSync(join(point, 'out'))).toEqual(['vm']);
    expect(readdirSync(join(point, 'out', 'vm'))).toEqual(['report.json']);
  });

  test('preflight tells both numbers from what the file system says', async () => {
    const target = await openDirTarget({ folder: join(point, 'not', 'yet'), format: 'raw' });
    const need = { machineName: 'vm', dataBytes: 100 * MIB, virtualSizeBytes: 200 * MIB };
    expect(await collect(target.preflight(need))).toMatchObject([
      {
        severity: 'blocker',
        code: 'TargetFull',
        message: expect.stringMatching(new RegExp(`^${point} has [78](\\.\\d)? MiB free; the import needs 117 MiB$`)),
      },
    ]);
    expect(readdirSync(point)).toEqual([]);
  });

  test('a read-only file system is noticed beforehand and at the start', async () => {
    mkdirSync(join(point, 'out'));
    remountReadOnly();
    const target = await openDirTarget({ folder: join(point, 'out'), format: 'raw' });
    expect(await collect(target.preflight({ machineName: 'vm', dataBytes: 1, virtualSizeBytes: 1 }))).toMatchObject([
      { severity: 'blocker', code: 'TargetNotWritable', message: `${join(point, 'out')} may not be written (EROFS)` },
    ]);
    await expect(target.openMachine('vm')).rejects.toMatchObject({ code: 'TargetNotWritable' });
  });

  // Opened for writing as well, a report on a medium or a share for reading only could not be verified.
  test('a finished disk on a read-only file system can be verified', async () => {
    writeFileSync(join(point, 'disk-0.raw'), Buffer.alloc(4096, 3));
    remountReadOnly();
    await using disk = await openImportedDisk(join(point, 'disk-0.raw'), 'raw');
    expect((await readWholeDisk(disk, decodePiece)).equals(Buffer.alloc(4096, 3))).toBe(true);
  });
});
