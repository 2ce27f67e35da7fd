import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { numbersOf, readDeviceFacts } from './device-identity.ts';

let root: string;
const sda = { rdev: 8 * 256 };
const sda2 = { rdev: 8 * 256 + 2 };
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'airlift-sysfs-'));
});
afterEach(() => rmSync(root, { recursive: true }));

/** A folder as sysfs has it: devices in a tree, `block/<major>:<minor>` linking to them. */
function sysfs(numbers: string, place: string, attributes: Readonly<Record<string, string | Buffer>>): void {
  const folder = join(root, 'devices', place);
  for (const [name, value] of Object.entries(attributes)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), value);
  }
  mkdirSync(join(root, 'block'), { recursive: true });
  symlinkSync(folder, join(root, 'block', numbers));
}
const facts = (stats: { rdev: number }) => readDeviceFacts(stats, join(root, 'block'));

describe('readDeviceFacts', () => {
  test.each([
    [{ 'dm/uuid': 'LVM-abc\n', serial: 'x' }, 'dm/uuid LVM-abc'],
    [{ wwid: 'nvme.1234\n' }, 'wwid nvme.1234'],
    [{ 'device/wwid': 'naa.5000\n', 'device/serial': 'S1' }, 'device/wwid naa.5000'],
    [{ serial: 'virtio-1\n' }, 'serial virtio-1'],
    [{ serial: '\n', 'loop/backing_file': '/a b.img\n' }, 'loop/backing_file /a b.img'],
    [{ 'device/vpd_pg83': Buffer.from([0, 0x83, 0, 4]) }, 'device/vpd_pg83 00830004'],
    [{}, undefined],
  ])('%j is known by what stays the same: %s', async (attributes, identity) => {
    sysfs('8:0', 'sda', { size: '2048\n', ro: '0\n', 'queue/logical_block_size': '4096\n', ...attributes });
    expect(await facts(sda)).toEqual({ sizeBytes: 1_048_576, logicalBlockBytes: 4096, isReadOnly: false, identity });
  });

  test('a partition is known by its disk and where it lies on it', async () => {
    sysfs('8:0', 'sda', { size: '2048\n', 'queue/logical_block_size': '512\n', 'device/wwid': 'naa.5000\n' });
    sysfs('8:2', 'sda/sda2', { size: '64\n', ro: '1\n', partition: '2\n', start: '128\n' });
    expect(await facts(sda2)).toEqual({
      sizeBytes: 32_768,
      logicalBlockBytes: 512,
      isReadOnly: true,
      identity: 'device/wwid naa.5000 partition 2 at 128',
    });
  });

  test('a system without sysfs tells nothing', async () => {
    expect(await facts(sda)).toEqual({
      sizeBytes: undefined,
      logicalBlockBytes: undefined,
      isReadOnly: false,
      identity: undefined,
    });
  });
});

test.each([
  [8 * 256 + 17, '8:17'],
  [0x10_0301, '3:257'],
  [(259 << 8) | 0xff, '259:255'],
])('the device number %i is %s', (rdev, text) => {
  expect(numbersOf(rdev)).toBe(text);
});
