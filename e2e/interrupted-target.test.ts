// Targets that end an import midway, and imports that are stopped by hand: the same command continues from a checkpoint and the disk is right.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { problems } from '../src/domain/problems.ts';
import { HttpFileServer } from '../src/testing/http-file-server.ts';
import { buildOva } from '../src/testing/ova-builder.ts';
import { requireTool } from '../src/testing/require-tool.ts';
import { buildLargeDisk } from './large-disk.ts';
import { attemptImport, expectRefused, inOneLine } from './refusal.ts';
import { qemuImg, type RunningCli, runCli, startCli, temporaryFolder } from './support.ts';

const MIB = 1024 * 1024;

let ova: Uint8Array;
let content: Buffer;

beforeAll(async () => {
  const disk = await buildLargeDisk({ virtualSizeBytes: 256 * MIB, dataBytes: 128 * MIB, seed: 11 });
  content = disk.content;
  ova = buildOva({
    machines: [{ id: 'vm', name: 'vm', disks: [{ fileName: 'disk.vmdk', capacityBytes: content.length }] }],
    contents: { 'disk.vmdk': disk.vmdk },
    manifest: 'sha256',
  });
});

/** A small file system of its own, gone afterwards. */
function mountTmpfs(path: string, sizeMiB: number): Disposable & { readonly enlarge: (sizeMiB: number) => void } {
  mkdirSync(path);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'tmpfs', path]);
  return {
    enlarge: (size) => void execFileSync('mount', ['-o', `remount,size=${size}m`, path]),
    // Lazily: a process that a failed test left behind must not keep it.
    [Symbol.dispose]: () => void execFileSync('umount', ['--lazy', path]),
  };
}

const mayMount = process.getuid?.() === 0 && requireTool('mount');

describe.skipIf(!mayMount)('a target that is full midway', () => {
  test.each(['raw', 'qcow2'] as const)(
    'keeps what is there as %s, and the same command continues once there is room',
    async (format) => {
      using folder = temporaryFolder();
      using small = mountTmpfs(join(folder.path, 'small'), 90);
      // A raw disk behind a server cannot tell beforehand how much of it is data, so a warning is all that is said.
      const path = join(folder.path, 'disk.raw');
      const bytes = Buffer.alloc(200 * MIB, 'a disk that does not tell');
      writeFileSync(path, bytes);
      await using server = await HttpFileServer.start({ files: { '/disk.raw': bytes } });
      const url = server.url('/disk.raw');
      const first = await attemptImport(url, join(folder.path, 'small'), { format });
      expectRefused(first, 'TargetFull');
      expect(first.status).toBe(1);
      expect(first.left).toEqual(['disk.partial']);
      expect(inOneLine(first.stderr)).toContain('TargetSpaceUncertain');
      expect(first.stderr).toMatch(/airlift import \S*disk\.raw --to \S+/);

      const again = await attemptImport(url, join(folder.path, 'small'), { format });
      expectRefused(again, 'TargetFull');
      expect(again.left).toEqual(['disk.partial']);

      small.enlarge(300);
      const second = await attemptImport(url, join(folder.path, 'small'), { format });
      expect({ status: second.status, stderr: second.stderr }).toEqual({ status: 0, stderr: second.stderr });
      expect(second.left).toEqual(['disk']);
      const written = join(second.out, 'disk', `disk-0.${format}`);
      expect(qemuImg('compare', '-f', format, '-F', 'raw', written, path)).toContain('Images are identical');
      expect(resumesOf(second.out, 'disk')).toBeGreaterThanOrEqual(1);
    },
  );

  test('while it is too full even for the lock or the first checkpoint, is named and leaves nothing that looks finished', async () => {
    using folder = temporaryFolder();
    using small = mountTmpfs(join(folder.path, 'small'), 1);
    const filler = join(folder.path, 'small', 'filler');
    try {
      writeFileSync(filler, Buffer.alloc(4 * MIB, 'x'));
    } catch {
      // ENOSPC is what it was written for.
    }
    const path = join(folder.path, 'disk.raw');
    writeFileSync(path, Buffer.alloc(8 * MIB, 'a disk that does not tell'));
    expectRefused(await attemptImport(path, join(folder.path, 'small')), 'TargetFull');
    rmSync(filler);
    small.enlarge(32);
    expect(await attemptImport(path, join(folder.path, 'small'))).toMatchObject({ status: 0, left: ['disk'] });
  });

  test('is refused beforehand where the disk tells how much is data, with both numbers, and nothing is made', async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'a.ova');
    writeFileSync(path, ova);
    using _small = mountTmpfs(join(folder.path, 'small'), 40);
    const attempt = await attemptImport(path, join(folder.path, 'small'));
    expect(attempt.status).toBe(3);
    expect(attempt.left).toBeUndefined();
    expect(inOneLine(attempt.stderr)).toContain(`-> ${problems.TargetFull.remedy}`);
    expect(inOneLine(attempt.stderr)).toMatch(/has 40 MiB free; the import needs 1[3-6]\d(\.\d)? MiB/);
    expect(attempt.stderr).toContain('Nothing was imported.');
  });
});

describe.skipIf(!mayMount)('a target that is read-only', () => {
  test.each([
    ['a file system', (path: string) => execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', path])],
    [
      'a bind mount',
      (path: string) => {
        execFileSync('mount', ['--bind', path, path]);
        execFileSync('mount', ['-o', 'remount,bind,ro', path]);
      },
    ],
  ])('as %s is refused beforehand', async (_kind, mount) => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'a.ova');
    writeFileSync(path, ova);
    const place = join(folder.path, 'place');
    mkdirSync(place);
    mount(place);
    try {
      expectRefused(await attemptImport(path, place), 'TargetNotWritable');
    } finally {
      execFileSync('umount', ['--lazy', place]);
    }
  });

  test('a file in the place of the folder is refused too', async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'a.ova');
    writeFileSync(path, ova);
    const result = await runCli(['import', path, '--to', `dir:${path}`, '--yes']);
    expect(result).toMatchObject({ status: 3, stderr: expect.stringContaining('TargetNotWritable') });
    expect(sha256(readFileSync(path))).toBe(sha256(ova));
  });
});

describe('an import that is stopped midway', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)(
    'by %s ends with 130, says how to continue, and the same command does',
    async (signal) => {
      using folder = temporaryFolder();
      await using server = await throttled();
      const args = ['import', server.url('/a.ova'), '--to', `dir:${folder.path}/out?format=raw`, '--yes'];
      const running = startCli(args);
      await sent(server, ova.length / 2, running);
      running.process.kill(signal);
      const stoppedAt = Date.now();
      const first = await running.result;
      expect(Date.now() - stoppedAt).toBeLessThan(10_000);
      expect({ status: first.status, signal: first.signal }).toEqual({ status: 130, signal: null });
      expect(first.stderr).toContain('stopping cleanly');
      expect(first.stderr).toContain('error Interrupted:');
      expect(inOneLine(first.stderr)).toContain(`-> ${problems.Interrupted.remedy}`);
      expect(first.stderr).toMatch(/^ +airlift import http\S+ --to \S+ --yes$/m);
      expect(readdirSync(join(folder.path, 'out'))).toEqual(['vm.partial']);

      server.faults = {};
      const before = server.bytesSent;
      const second = await runCli(args);
      expect({ status: second.status, stderr: second.stderr }).toEqual({ status: 0, stderr: second.stderr });
      // Stopped cleanly, what was fetched is not fetched again, but for the read-ahead.
      expect(server.bytesSent - before).toBeLessThan(ova.length / 2 + 32 * MIB);
      expect(resumesOf(join(folder.path, 'out'), 'vm')).toBe(1);
      expect(sha256(readFileSync(join(folder.path, 'out/vm/disk-0.raw')))).toBe(sha256(content));
      expect(readdirSync(join(folder.path, 'out'))).toEqual(['vm']);
    },
  );

  test('twice by Ctrl-C ends at once, and the same command continues all the same', async () => {
    using folder = temporaryFolder();
    await using server = await throttled();
    const args = ['import', server.url('/a.ova'), '--to', `dir:${folder.path}/out?format=raw`, '--yes'];
    const running = startCli(args);
    await sent(server, ova.length / 2, running);
    running.process.kill('SIGINT');
    await delay(20); // Two at once would be one.
    running.process.kill('SIGINT');
    const { status, signal } = await running.result;
    // The first one may just have ended the process when the second one comes.
    expect(status === 130 || signal === 'SIGINT').toBe(true);
    server.faults = {};
    expect((await runCli(args)).status).toBe(0);
    expect(sha256(readFileSync(join(folder.path, 'out/vm/disk-0.raw')))).toBe(sha256(content));
  });

  test('before anything was copied leaves nothing', async () => {
    using folder = temporaryFolder();
    await using server = await HttpFileServer.start({
      files: { '/a.ova': ova },
      faults: { stallsAfter: { bytes: -1 } },
    });
    const running = startCli(['import', server.url('/a.ova'), '--to', `dir:${folder.path}/out`, '--yes']);
    while (server.requests.length === 0 && running.process.exitCode === null) await delay(5);
    running.process.kill('SIGINT');
    const { status, stderr } = await running.result;
    expect({ status, stderr }).toEqual({ status: 130, stderr: expect.stringContaining('Interrupted') });
    expect(existsSync(join(folder.path, 'out'))).toBe(false);
  });

  test('cannot be continued with other options, which is said, and the partial result stays', async () => {
    using folder = temporaryFolder();
    await using server = await throttled();
    const to = (format: string) => [
      'import',
      server.url('/a.ova'),
      '--to',
      `dir:${folder.path}/out?format=${format}`,
      '--yes',
    ];
    const running = startCli(to('raw'));
    await sent(server, ova.length / 2, running);
    running.process.kill('SIGINT');
    await running.result;
    server.faults = {};
    for (const args of [to('qcow2'), [...to('raw'), '--verify', 'none']]) {
      const other = await runCli(args);
      expect(other.status).toBe(1);
      expect(other.stderr).toContain('error PlanChanged:');
      expect(readdirSync(join(folder.path, 'out'))).toEqual(['vm.partial']);
    }
    expect((await runCli(to('raw'))).status).toBe(0);
    expect(resumesOf(join(folder.path, 'out'), 'vm')).toBe(1);
    expect(sha256(readFileSync(join(folder.path, 'out/vm/disk-0.raw')))).toBe(sha256(content));
  });

  test('while a second process tries the same place, which is told who works there and disturbs nothing', async () => {
    using folder = temporaryFolder();
    await using server = await throttled(3 * MIB);
    const args = ['import', server.url('/a.ova'), '--to', `dir:${folder.path}/out?format=raw`, '--yes'];
    const running = startCli(args);
    await sent(server, ova.length / 16, running);
    for (const more of [[], ['--restart']]) {
      const second = await runCli([...args, ...more]);
      expect(second.status).toBe(1);
      expect(second.stderr).toContain('error TargetBusy:');
      expect(second.stderr).toContain(`process ${running.process.pid} `);
    }
    expect((await running.result).status).toBe(0);
    expect(sha256(readFileSync(join(folder.path, 'out/vm/disk-0.raw')))).toBe(sha256(content));
  });
});

describe('a local source that changed since the import was stopped', () => {
  test('is refused with exit 1 and the command that begins anew, which then succeeds', async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'disk.raw');
    const bytes = Buffer.alloc(400 * MIB, 'the first version');
    writeFileSync(path, bytes);
    const args = ['import', path, '--to', `dir:${folder.path}/out?format=raw`, '--yes'];
    const running = startCli(args);
    await begun(join(folder.path, 'out/disk.partial/machine/disk-0.raw'), running);
    await delay(150);
    running.process.kill('SIGINT');
    expect((await running.result).status).toBe(130);

    bytes.write('THE SECOND VERSION', 100 * MIB);
    writeFileSync(path, bytes);
    const changed = await runCli(args);
    expect(changed.status).toBe(1);
    expect(changed.stderr).toContain('error SourceChanged:');
    expect(changed.stderr).toMatch(/^ +airlift import \S+ --to \S+ --yes --restart$/m);
    expect(readdirSync(join(folder.path, 'out'))).toEqual(['disk.partial']);

    expect((await runCli([...args, '--restart'])).status).toBe(0);
    expect(readFileSync(join(folder.path, 'out/disk/disk-0.raw')).equals(bytes)).toBe(true);
    expect(resumesOf(join(folder.path, 'out'), 'disk')).toBe(0);
  });
});

describe('an import of a disk that does not tell how much is data', () => {
  test('stopped and continued, counts no byte of the disk twice', async () => {
    using folder = temporaryFolder();
    const bytes = Buffer.alloc(60 * MIB, 'data');
    await using server = await HttpFileServer.start({ files: { '/disk.raw': bytes } });
    const args = ['import', server.url('/disk.raw'), '--to', `dir:${folder.path}/out?format=raw`, '--yes'];
    // Places that are not the end of a leaf.
    for (const stopAt of [21 * MIB, 46 * MIB]) {
      server.faults = { bytesPerSecond: 20 * MIB };
      const running = startCli(args);
      await sent(server, stopAt, running);
      running.process.kill('SIGINT');
      expect((await running.result).status).toBe(130);
    }
    server.faults = {};
    expect((await runCli(args)).status).toBe(0);
    const report = JSON.parse(readFileSync(join(folder.path, 'out/disk/report.json'), 'utf8'));
    expect(report.disks[0]).toMatchObject({ resumes: 2, virtualSizeBytes: bytes.length, dataBytes: bytes.length });
  });
});

describe('a target that somebody else changes', () => {
  test('so that the journal of a qcow2 is gone costs what was copied, and the report does not count it twice', async () => {
    using folder = temporaryFolder();
    const bytes = Buffer.alloc(60 * MIB, 'data');
    await using server = await HttpFileServer.start({ files: { '/disk.raw': bytes } });
    server.faults = { bytesPerSecond: 20 * MIB };
    const args = ['import', server.url('/disk.raw'), '--to', `dir:${folder.path}/out?format=qcow2`, '--yes'];
    const running = startCli(args);
    await sent(server, 30 * MIB, running);
    running.process.kill('SIGINT');
    expect((await running.result).status).toBe(130);
    rmSync(join(folder.path, 'out/disk.partial/disk-0.journal'));
    server.faults = {};
    expect((await runCli(args)).status).toBe(0);
    const path = join(folder.path, 'disk.raw');
    writeFileSync(path, bytes);
    const written = join(folder.path, 'out/disk/disk-0.qcow2');
    expect(qemuImg('compare', '-f', 'qcow2', '-F', 'raw', written, path)).toContain('Images are identical');
    const report = JSON.parse(readFileSync(join(folder.path, 'out/disk/report.json'), 'utf8'));
    expect(report.disks[0].dataBytes).toBe(bytes.length);
  });

  test('so that a file lies where the partial result goes is refused, and the file stays', async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'disk.raw');
    writeFileSync(path, Buffer.alloc(MIB, 'data'));
    mkdirSync(join(folder.path, 'out'));
    writeFileSync(join(folder.path, 'out/disk.partial'), 'mine');
    const { status, stderr } = await attemptImport(path, folder.path);
    expect([1, 3]).toContain(status);
    expect(stderr).toContain('TargetNotWritable');
    expect(stderr).not.toContain('met a situation it should not');
    expect(readFileSync(join(folder.path, 'out/disk.partial'), 'utf8')).toBe('mine');
  });

  test('so that it is gone midway is named as a problem of the target', async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'disk.raw');
    writeFileSync(path, Buffer.alloc(500 * MIB, 'data'));
    const running = startCli(['import', path, '--to', `dir:${folder.path}/out?format=raw`, '--yes']);
    await begun(join(folder.path, 'out/disk.partial/machine/disk-0.raw'), running);
    execFileSync('mv', [join(folder.path, 'out'), join(folder.path, 'elsewhere')]);
    const { status, stderr } = await running.result;
    expect(status).toBe(1);
    expect(stderr).not.toContain('met a situation it should not');
    expect(stderr).toMatch(/error Target\w+:/);
    expect(existsSync(join(folder.path, 'out/disk'))).toBe(false);
  });
});

describe('verify', () => {
  test('of a qcow2 finds a flipped byte by its range of the disk, and a disk or report that is gone', async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'a.ova');
    writeFileSync(path, ova);
    expect((await attemptImport(path, folder.path, { format: 'qcow2' })).status).toBe(0);
    const report = join(folder.path, 'out/vm/report.json');
    const disk = join(folder.path, 'out/vm/disk-0.qcow2');
    expect((await runCli(['verify', report])).status).toBe(0);

    const offset = content.findIndex((byte, at) => at > 100 * MIB && byte !== 0);
    const { host } = mapOf(disk, offset);
    flipByte(disk, host);
    const different = await runCli(['verify', report]);
    expect(different.status).toBe(4);
    const leaf = Math.floor(offset / (4 * MIB)) * 4 * MIB;
    expect(different.stdout).toContain(String(leaf));
    expect(different.stderr).toContain('VerificationFailed');

    flipByte(disk, host);
    expect((await runCli(['verify', report])).status).toBe(0);

    writeFileSync(disk, readFileSync(disk).subarray(0, 1000));
    expect([4, 5]).toContain((await runCli(['verify', report])).status);
    rmSync(disk);
    expect((await runCli(['verify', report])).status).toBe(5);
    writeFileSync(report, '{}');
    expect(await runCli(['verify', report])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('ReportUnusable'),
    });
  });
});

/** The rate is that of each connection. */
async function throttled(bytesPerSecond = 30 * MIB): Promise<HttpFileServer> {
  return HttpFileServer.start({ files: { '/a.ova': ova }, faults: { bytesPerSecond } });
}

/** Waits until the disk is there. */
async function begun(path: string, { process: child }: RunningCli): Promise<void> {
  while (!existsSync(path) && child.exitCode === null) await delay(2);
}

async function sent(server: HttpFileServer, bytes: number, { process: child }: RunningCli): Promise<void> {
  while (server.bytesSent < bytes && child.exitCode === null) await delay(5);
}

function resumesOf(out: string, name: string): number {
  return JSON.parse(readFileSync(join(out, name, 'report.json'), 'utf8')).disks[0].resumes;
}

/** Where a byte of the disk lies in a qcow2. */
function mapOf(path: string, offset: number): { readonly host: number } {
  const rows = JSON.parse(qemuImg('map', '--output=json', path)) as {
    start: number;
    length: number;
    offset?: number;
  }[];
  const row = rows.find(({ start, length }) => offset >= start && offset < start + length);
  if (row?.offset === undefined) throw new Error(`byte ${offset} has no place in ${path}`);
  return { host: row.offset + offset - row.start };
}

function flipByte(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  writeFileSync(path, bytes);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
