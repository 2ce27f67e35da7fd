// Targets that are taken, full or read-only, and what `verify` says afterwards.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { HttpFileServer } from '../src/testing/http-file-server.ts';
import { requireTool } from '../src/testing/require-tool.ts';
import { runCli, startCli, temporaryFolder } from './support.ts';

const MIB = 1024 * 1024;

/** A raw disk image full of data. */
function writeFullDisk(path: string, bytes: number): void {
  writeFileSync(path, Buffer.alloc(bytes, 'data of a full disk '));
}

/** A small file system of its own, gone afterwards. */
function smallFileSystem(
  path: string,
  megabytes: number,
): Disposable & { resize(to: number): void; makeReadOnly(): void } {
  mkdirSync(path, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path]);
  return {
    resize: (to) => void execFileSync('mount', ['-o', `remount,size=${to}m`, path]),
    makeReadOnly: () => void execFileSync('mount', ['-o', 'remount,ro', path]),
    [Symbol.dispose]: () => void execFileSync('umount', [path]),
  };
}

describe('a target', () => {
  test('that is taken is refused beforehand and left alone', async () => {
    using folder = temporaryFolder();
    const disk = join(folder.path, 'web.raw');
    writeFullDisk(disk, MIB);
    mkdirSync(join(folder.path, 'out', 'web'), { recursive: true });
    const result = await runCli(['import', disk, '--to', `dir:${folder.path}/out`, '--yes']);
    expect(result).toMatchObject({ status: 3, stderr: expect.stringContaining('TargetExists') });
    expect(readdirSync(join(folder.path, 'out'))).toEqual(['web']);
    expect(await runCli(['import', disk, '--to', `dir:${folder.path}/out`, '--yes', '--name', 'web2'])).toMatchObject({
      status: 0,
    });
  });

  test('is worked on by one process at a time', async () => {
    using folder = temporaryFolder();
    const disk = join(folder.path, 'web.raw');
    writeFullDisk(disk, 300 * MIB);
    const args = ['import', disk, '--to', `dir:${folder.path}/out`, '--yes'];
    const first = startCli(args);
    while (!existsSync(join(folder.path, 'out', 'web.partial', 'lock')) && first.process.exitCode === null)
      await new Promise((wake) => setTimeout(wake, 5));
    const second = await runCli(args);
    expect(second).toMatchObject({ status: 1, stderr: expect.stringContaining(`process ${first.process.pid}`) });
    expect(second.stderr).toContain('TargetBusy');
    expect(await first.result).toMatchObject({ status: 0 });
  });
});

describe.skipIf(!requireTool('mount') || process.getuid?.() !== 0)('a file system', () => {
  test('that is too small is refused beforehand, with both numbers', async () => {
    using folder = temporaryFolder();
    const disk = join(folder.path, 'web.qcow2');
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', disk, '100M']);
    execFileSync('qemu-io', ['-c', 'write -P 7 0 60M', disk], { stdio: 'ignore' });
    using _small = smallFileSystem(join(folder.path, 'small'), 20);
    const result = await runCli(['import', disk, '--to', `dir:${folder.path}/small/out`, '--yes']);
    expect(result).toMatchObject({ status: 3, stderr: expect.stringContaining('TargetFull') });
    expect(result.stderr).toMatch(/has 20 MiB free; the import needs 7\d(\.\d)? MiB/);
    expect(readdirSync(join(folder.path, 'small'))).toEqual([]);
  });

  test('that fills up midway leaves a state that continues when there is room', async () => {
    using folder = temporaryFolder();
    // A raw disk behind a server cannot tell beforehand how much of it is data.
    const bytes = Buffer.alloc(60 * MIB, 'data of a full disk ');
    await using server = await HttpFileServer.start({ files: { '/web.raw': bytes } });
    using small = smallFileSystem(join(folder.path, 'small'), 40);
    const args = ['import', server.url('/web.raw'), '--to', `dir:${folder.path}/small/out?format=raw`, '--yes'];
    const full = await runCli(args);
    expect(full).toMatchObject({ status: 1, stderr: expect.stringContaining('TargetFull') });
    expect(readdirSync(join(folder.path, 'small', 'out')).filter((name) => !name.endsWith('.partial'))).toEqual([]);
    small.resize(100);
    expect(await runCli(args)).toMatchObject({ status: 0 });
    const report = JSON.parse(readFileSync(join(folder.path, 'small', 'out', 'web', 'report.json'), 'utf8'));
    expect(report.disks[0].resumes).toBe(1);
    const written = readFileSync(join(folder.path, 'small', 'out', 'web', 'disk-0.raw'));
    expect(written.equals(bytes)).toBe(true);
  });

  test('that is read-only is refused', async () => {
    using folder = temporaryFolder();
    const disk = join(folder.path, 'web.raw');
    writeFullDisk(disk, MIB);
    using small = smallFileSystem(join(folder.path, 'small'), 20);
    small.makeReadOnly();
    const result = await runCli(['import', disk, '--to', `dir:${folder.path}/small/out`, '--yes']);
    expect(result).toMatchObject({ status: 3, stderr: expect.stringContaining('TargetNotWritable') });
  });
});

describe('verify', () => {
  test('finds nothing, a flipped byte in its place, and a disk that is gone', async () => {
    using folder = temporaryFolder();
    const disk = join(folder.path, 'web.raw');
    writeFullDisk(disk, 20 * MIB);
    expect(await runCli(['import', disk, '--to', `dir:${folder.path}/out?format=raw`, '--yes'])).toMatchObject({
      status: 0,
    });
    const report = join(folder.path, 'out', 'web', 'report.json');
    const written = join(folder.path, 'out', 'web', 'disk-0.raw');
    expect(await runCli(['verify', report])).toMatchObject({ status: 0, stdout: expect.stringContaining('identical') });

    writeSync(openSync(written, 'r+'), Buffer.from('X'), 0, 1, 9 * MIB);
    const different = await runCli(['verify', report, '-o', 'json']);
    expect(different.status).toBe(4);
    expect(JSON.parse(different.stdout)).toMatchObject({
      disks: [{ status: 'different', differences: [{ offset: 8 * MIB, length: 4 * MIB }] }],
    });

    rmSync(written);
    expect(await runCli(['verify', report])).toMatchObject({ status: 5 });
    expect(await runCli(['verify', join(folder.path, 'none.json')])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('ReportUnusable'),
    });
  });
});
