// Makes loop devices: needs root and losetup(8). What a device refuses, and what it does about half blocks, is the kernel's to say, not a fake's.
import { execFileSync } from 'node:child_process';
import { constants, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LEAF_BYTES } from '../../domain/digest-layout.ts';
import { openLaneWriter } from '../../formats/lane-writer.ts';
import { openDevice } from '../../formats/raw/open-device.ts';
import { createLibc, libc } from '../../lib/libc.ts';
import { collect } from '../../testing/collect.ts';
import { HurriedClock } from '../../testing/fake-clock.ts';
import { canMakeLoopDevices, type LoopDevice, makeLoopDevice } from '../../testing/loop-device.ts';
import { LossyStorage } from '../../testing/lossy-storage.ts';
import { plainWindow } from '../../testing/plain-window.ts';
import { requireTool } from '../../testing/require-tool.ts';
import { buildSyntheticDisk, decodeSynthetic, syntheticReader } from '../../testing/synthetic-disk.ts';
import { createInlineLanes } from '../../transfer/lanes/inline-lanes.ts';
import { nodeHashes } from '../../transfer/stored-digest.ts';
import { transferDisk } from '../../transfer/transfer-disk.ts';
import { compareDisk } from '../../transfer/verify-disk.ts';
import { openDeviceTarget } from './device-target.ts';
import { openDeviceDisk } from './open-device-disk.ts';

const MIB = 1024 * 1024;
const SIZE = 5 * LEAF_BYTES + 1024 + 77;
const DEVICE_BYTES = 24 * MIB;
const disk = buildSyntheticDisk({ virtualSizeBytes: SIZE, density: 0.3, pieceBytes: 65_536 });
const parts = {
  decode: decodeSynthetic,
  lanes: createInlineLanes({ decode: decodeSynthetic, openWriter: openLaneWriter }),
  window: plainWindow,
  hashes: nodeHashes,
  clock: new HurriedClock(),
};
const ones = () => Buffer.alloc(DEVICE_BYTES, 0xff);
const need = (bytes: number) => ({
  machineName: 'vm',
  dataBytes: bytes,
  virtualSizeBytes: bytes,
  diskSizesBytes: [bytes],
});

describe.skipIf(!canMakeLoopDevices())('a block device', () => {
  let storage: LossyStorage;
  const devices: LoopDevice[] = [];
  const make = (options: Partial<Parameters<typeof makeLoopDevice>[0]> = {}) => {
    const device = makeLoopDevice({ content: ones(), ...options });
    devices.push(device);
    return device;
  };
  beforeEach(() => {
    storage = new LossyStorage();
  });
  afterEach(() => {
    for (const device of devices.splice(0)) device[Symbol.dispose]();
  });

  const openTarget = (path: string, calls = libc) =>
    openDeviceTarget({ paths: [path], stateFolder: '/state', storage, calls });

  async function importDisk({ path }: LoopDevice, calls = libc): Promise<string | undefined> {
    const target = await openTarget(path, calls);
    await using machine = await target.openMachine('vm');
    const result = await transferDisk(parts, syntheticReader(disk), { target: machine, index: 0, verify: 'readback' });
    const record = JSON.parse(String(storage.readWhole('/state/devices.state')));
    await machine.finish([{ name: 'report.json', text: '{}' }]);
    await using reader = await openDeviceDisk(path, SIZE);
    expect(await compareDisk(parts, reader, result.digest ?? expect.fail('no digest'))).toEqual([]);
    return record.devices[0].zeroes;
  }

  /** The device was flushed, so that its backing file has everything. */
  function expectContent({ backingFile }: LoopDevice): void {
    const written = readFileSync(backingFile);
    expect(written.length).toBe(DEVICE_BYTES);
    expect(written.subarray(0, SIZE).equals(disk.content)).toBe(true);
    expect(written.subarray(SIZE).every((byte) => byte === 0xff)).toBe(true);
  }

  test.each([512, 4096] as const)(
    'of %i-byte blocks, full of 0xff, gets data and holes and keeps its rest',
    async (block) => {
      const device = make({ logicalBlockBytes: block });
      expect(await importDisk(device)).toBe('punched');
      expectContent(device);
      // Punched in truth: the space of the holes went back to where the device takes it from.
      expect(statSync(device.backingFile).blocks * 512).toBeLessThan(DEVICE_BYTES / 2);
    },
  );

  test.each([512, 4096] as const)('of %i-byte blocks, without libc: zeroes are written', async (block) => {
    const device = make({ logicalBlockBytes: block });
    expect(await importDisk(device, createLibc(undefined))).toBe('written');
    expectContent(device);
  });

  test.skipIf(!requireTool('mount'))('that cannot punch says so, and zeroes are written', async () => {
    // Files in a ramfs cannot have holes punched, and the loop device passes that on.
    const point = mkdtempSync(join(tmpdir(), 'airlift-mount-'));
    execFileSync('mount', ['-t', 'ramfs', 'ramfs', point]);
    try {
      const device = make({ folder: point });
      expect(await importDisk(device)).toBe('written');
      expectContent(device);
      devices.pop()?.[Symbol.dispose]();
    } finally {
      execFileSync('umount', [point]);
      rmSync(point, { recursive: true });
    }
  });

  test('tells its size and its name with and without libc', async () => {
    const { path, backingFile } = make({ logicalBlockBytes: 4096 });
    for (const calls of [libc, createLibc(undefined)]) {
      await using device = await openDevice(path, calls);
      expect(device).toMatchObject({
        isBlockDevice: true,
        sizeBytes: DEVICE_BYTES,
        logicalBlockBytes: 4096,
        identity: `${DEVICE_BYTES} bytes, loop/backing_file ${backingFile}`,
      });
    }
  });

  test('that another program holds is busy, and one that we hold is so to others', async () => {
    const { path } = make();
    const target = await openTarget(path);
    const other = await open(path, constants.O_RDONLY | constants.O_EXCL);
    const busy = { code: 'TargetBusy', message: expect.stringContaining(`${path} is in use`) };
    expect(await collect(target.preflight(need(DEVICE_BYTES)))).toMatchObject([{ severity: 'blocker', ...busy }]);
    await expect(target.openMachine('vm')).rejects.toMatchObject(busy);
    await other.close();
    {
      await using _machine = await target.openMachine('vm');
      await expect(open(path, constants.O_RDONLY | constants.O_EXCL)).rejects.toMatchObject({ code: 'EBUSY' });
    }
    await (await open(path, constants.O_RDONLY | constants.O_EXCL)).close();
  });

  test.skipIf(!requireTool('mkfs.ext4') || !requireTool('mount'))('that is mounted is busy', async () => {
    const { path } = make();
    execFileSync('mkfs.ext4', ['-q', path]);
    const point = mkdtempSync(join(tmpdir(), 'airlift-mount-'));
    execFileSync('mount', [path, point]);
    try {
      const target = await openTarget(path);
      expect(await collect(target.preflight(need(DEVICE_BYTES)))).toMatchObject([{ code: 'TargetBusy' }]);
    } finally {
      execFileSync('umount', [point]);
      rmSync(point, { recursive: true });
    }
  });

  test('that is read-only is told beforehand', async () => {
    const { path } = make({ readOnly: true });
    expect(await collect((await openTarget(path)).preflight(need(DEVICE_BYTES)))).toMatchObject([
      { severity: 'blocker', code: 'TargetNotWritable', message: `${path} is read-only` },
    ]);
  });

  test('that is another one under the same name is not continued', async () => {
    const first = make();
    {
      await using machine = await (await openTarget(first.path)).openMachine('vm');
      await machine.saveState('disk-0', Buffer.from('half'));
    }
    devices.splice(0);
    first[Symbol.dispose]();
    const second = make();
    expect(second.path).toBe(first.path);
    await expect((await openTarget(second.path)).openMachine('vm')).rejects.toMatchObject({
      code: 'PlanChanged',
      message: expect.stringContaining('is another device than in the earlier run'),
    });
  });

  test('that is too small has the bytes of the device in the finding, not those of its node in /dev', async () => {
    const { path } = make();
    expect(await collect((await openTarget(path)).preflight(need(DEVICE_BYTES + 1)))).toMatchObject([
      { code: 'TargetTooSmall', message: expect.stringContaining(`(${DEVICE_BYTES} bytes); disk 0 has`) },
    ]);
  });
});
