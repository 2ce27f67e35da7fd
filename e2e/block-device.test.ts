// The command line onto real block devices (loop devices), which are full of 0xff beforehand: a hole that was not zeroed, and a byte written behind the disk, both show.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HttpFileServer } from '../src/testing/http-file-server.ts';
import { canMakeLoopDevices, type LoopDevice, makeLoopDevice } from '../src/testing/loop-device.ts';
import { buildOva } from '../src/testing/ova-builder.ts';
import { requireTool } from '../src/testing/require-tool.ts';
import { buildLargeDisk } from './large-disk.ts';
import { qemuImg, runCli, startCli, temporaryFolder } from './support.ts';

const MIB = 1024 * 1024;
const SEED = Number(process.env.AIRLIFT_SEED ?? 20261122);
const LARGE_BYTES = 192 * MIB;
/** Ends inside a 64 KiB block and inside a 4 KiB one. */
const SMALL_BYTES = 9 * MIB + 1536;
const REST_BYTES = 1 * MIB - 1536;
const DOCUMENTS = ['machine.yaml', 'report.json', 'report.md'];

describe.skipIf(!requireTool('qemu-img') || !requireTool('cmp') || !canMakeLoopDevices())(
  'import onto block devices',
  () => {
    const originals = temporaryFolder();
    const ovaPath = join(originals.path, 'app.ova');
    const original = (name: string) => join(originals.path, `${name}.raw`);
    let ova: Uint8Array;

    beforeAll(async () => {
      const large = await buildLargeDisk({ virtualSizeBytes: LARGE_BYTES, dataBytes: 96 * MIB, seed: SEED });
      const small = await buildLargeDisk({ virtualSizeBytes: SMALL_BYTES, dataBytes: 3 * MIB, seed: SEED + 1 });
      writeFileSync(original('large'), large.content);
      writeFileSync(original('small'), small.content);
      ova = buildOva({
        machines: [
          {
            id: 'app',
            disks: [
              { fileName: 'large.vmdk', capacityBytes: LARGE_BYTES },
              { fileName: 'small.vmdk', capacityBytes: SMALL_BYTES },
            ],
          },
        ],
        contents: { 'large.vmdk': large.vmdk, 'small.vmdk': small.vmdk },
        manifest: 'sha256',
      });
      writeFileSync(ovaPath, ova);
    });
    afterAll(() => originals[Symbol.dispose]());

    test('each disk is on its device, byte for byte, and the report verifies it later', async () => {
      using devices = makeDevices();
      const { status, stderr, stdout } = await runCli(['import', ovaPath, '--to', devices.target, '--yes']);
      expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toContain(`airlift verify ${devices.state}/report.json`);
      expectDevices(devices);
      // A device as large as its disk, as qemu sees both.
      expect(qemuImg('compare', '-f', 'raw', '-F', 'raw', devices.large.path, original('large'))).toContain(
        'Images are identical',
      );

      const report = join(devices.state, 'report.json');
      const { findings, disks } = JSON.parse(readFileSync(report, 'utf8'));
      expect(disks).toMatchObject([
        { file: devices.large.path, format: 'raw', allocatedBytes: LARGE_BYTES },
        { file: devices.small.path, format: 'raw', virtualSizeBytes: SMALL_BYTES },
      ]);
      expect(findings).toContainEqual({
        severity: 'note',
        code: 'TargetLarger',
        message: expect.stringContaining(`${devices.small.path} stay as they are`),
      });
      expect(await runCli(['verify', report])).toMatchObject({ status: 0 });
      execFileSync(
        'dd',
        ['if=/dev/urandom', `of=${devices.small.path}`, 'bs=512', 'count=1', 'seek=100', 'conv=notrunc'],
        {
          stdio: 'ignore',
        },
      );
      const { status: damaged, stdout: differences } = await runCli(['verify', report]);
      expect(damaged).toBe(4);
      expect(differences).toContain('different');
      // What is finished is not overwritten by the same command.
      expect(await runCli(['import', ovaPath, '--to', devices.target, '--yes'])).toMatchObject({
        status: 3,
        stderr: expect.stringContaining('holds a finished import'),
      });
    });

    test.each([
      ['soon', 0.1, false],
      ['when its first checkpoint is there', 0, true],
      ['late', 0.7, true],
    ] as const)('killed %s it continues on the same devices and ends identical', async (_when, share, isSaved) => {
      using devices = makeDevices();
      // Of each connection, of which there are several.
      const faults = { bytesPerSecond: 4 * MIB };
      await using server = await HttpFileServer.start({ files: { '/app.ova': ova }, faults });
      const args = ['import', server.url('/app.ova'), '--to', devices.target, '--yes'];
      const hasCheckpoint = () => existsSync(join(devices.state, 'disk-0.state'));
      const isTime = () => server.bytesSent >= ova.length * share && (hasCheckpoint() || !isSaved);
      const killed = startCli(args);
      while (!isTime() && killed.process.exitCode === null) await delay(2);
      killed.process.kill('SIGKILL');
      expect(await killed.result).toMatchObject({ signal: 'SIGKILL' });
      const resumes = hasCheckpoint() ? 1 : 0;

      server.faults = {};
      const { status, stderr } = await runCli(args);
      expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
      expectDevices(devices);
      const { disks } = JSON.parse(readFileSync(join(devices.state, 'report.json'), 'utf8'));
      expect(disks[0].resumes).toBe(resumes);
      expect(server.bytesSent - ova.length).toBeLessThan(64 * MIB);
    });

    test('devices that do not fit are told before anything is written', async () => {
      using devices = makeDevices();
      const swapped = `device:${devices.small.path},${devices.large.path}?state=${devices.state}`;
      const { status, stderr } = await runCli(['import', ovaPath, '--to', swapped, '--yes']);
      expect(status).toBe(3);
      expect(stderr).toContain(
        `${devices.small.path} has 10 MiB (${SMALL_BYTES + REST_BYTES} bytes); disk 0 has 192 MiB`,
      );
      for (const { backingFile } of [devices.large, devices.small]) {
        expect(readFileSync(backingFile).every((byte) => byte === 0xff)).toBe(true);
      }
      expect(existsSync(devices.state)).toBe(false);
    });

    function makeDevices() {
      const folder = temporaryFolder();
      const large = makeLoopDevice({ content: Buffer.alloc(LARGE_BYTES, 0xff) });
      const small = makeLoopDevice({ content: Buffer.alloc(SMALL_BYTES + REST_BYTES, 0xff), logicalBlockBytes: 4096 });
      const state = join(folder.path, 'state');
      return {
        large,
        small,
        state,
        target: `device:${large.path},${small.path}?state=${state}`,
        [Symbol.dispose]() {
          for (const each of [small, large, folder]) each[Symbol.dispose]();
        },
      };
    }

    function expectDevices({ large, small, state }: { large: LoopDevice; small: LoopDevice; state: string }): void {
      expect(readdirSync(state).toSorted()).toEqual(DOCUMENTS);
      execFileSync('cmp', [large.path, original('large')]);
      execFileSync('cmp', ['--bytes', String(SMALL_BYTES), small.path, original('small')]);
      const rest = readFileSync(small.backingFile).subarray(SMALL_BYTES);
      expect(rest.length).toBe(REST_BYTES);
      expect(rest.every((byte) => byte === 0xff)).toBe(true);
    }
  },
);
