import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLibc } from '../../lib/libc.ts';
import type { TargetNeed } from '../../ports/target.ts';
import { collect } from '../../testing/collect.ts';
import { LossyStorage } from '../../testing/lossy-storage.ts';
import { openDeviceTarget } from './device-target.ts';

const MIB = 1024 * 1024;
const calls = createLibc(undefined);
const documents = [
  { name: 'machine.yaml', text: 'kind: VirtualMachine\n' },
  { name: 'report.json', text: '{}' },
  { name: 'report.md', text: '# Import' },
];

let folder: string;
let storage: LossyStorage;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'airlift-device-'));
  storage = new LossyStorage();
});
afterEach(() => rmSync(folder, { recursive: true }));

function makeDevice(name: string, sizeBytes: number): string {
  const path = join(folder, name);
  writeFileSync(path, Buffer.alloc(sizeBytes, 0xff));
  return path;
}
const openTarget = (...paths: string[]) => openDeviceTarget({ paths, stateFolder: '/state', storage, calls });
const need = (...diskSizesBytes: number[]): TargetNeed => ({
  machineName: 'vm',
  dataBytes: 1,
  virtualSizeBytes: diskSizesBytes.reduce((sum, each) => sum + each, 0),
  diskSizesBytes,
});
const stateFiles = async () => (await storage.openFolder('/state').listFiles()).toSorted();

/** What a run leaves that was interrupted after its first checkpoint. */
async function interruptedRun(...paths: string[]): Promise<void> {
  await using target = await openTarget(...paths);
  await using machine = await target.openMachine('vm');
  await machine.saveState('disk-0', Buffer.from('half'));
}

describe('preflight of devices', () => {
  test('equal sizes are fine and nothing is said', async () => {
    const target = await openTarget(makeDevice('a', MIB), makeDevice('b', 1000));
    expect(await collect(target.preflight(need(MIB, 1000)))).toEqual([]);
    expect(await storage.exists('/state')).toBe(false);
  });

  test('too small stops, too large is a note, both with the bytes', async () => {
    const [a, b] = [makeDevice('a', MIB - 512), makeDevice('b', MIB + 512)];
    const target = await openTarget(a, b);
    expect(await collect(target.preflight(need(MIB, MIB)))).toEqual([
      {
        severity: 'blocker',
        code: 'TargetTooSmall',
        message: `${a} has 1024 KiB (1048064 bytes); disk 0 has 1 MiB (1048576 bytes)`,
      },
      { severity: 'note', code: 'TargetLarger', message: `the last 512 B (512 bytes) of ${b} stay as they are` },
    ]);
  });

  test.each([
    [[1], '2 devices were given; the machine has 1 disk'],
    [[1, 1, 1], '2 devices were given; the machine has 3 disks'],
  ])('disks %j for two devices do not fit', async (sizes, message) => {
    const target = await openTarget(makeDevice('a', 1), makeDevice('b', 1));
    expect(await collect(target.preflight(need(...sizes)))).toEqual([
      { severity: 'blocker', code: 'TargetDevicesMismatch', message },
    ]);
  });

  test('one device under two names would get two disks', async () => {
    const a = makeDevice('a', 1000);
    symlinkSync(a, join(folder, 'by-id'));
    const target = await openTarget(a, join(folder, 'by-id'));
    const message = `${a} and ${join(folder, 'by-id')} are the same device`;
    expect(await collect(target.preflight(need(1000, 1000)))).toEqual([
      { severity: 'blocker', code: 'TargetDevicesMismatch', message },
    ]);
    await expect(target.openMachine('vm')).rejects.toMatchObject({ code: 'TargetDevicesMismatch', message });
    expect(await storage.exists('/state')).toBe(false);
  });

  test('every device is looked at: one that is missing, one that is a folder', async () => {
    mkdirSync(join(folder, 'sub'));
    const target = await openTarget(join(folder, 'none'), join(folder, 'sub'));
    expect(await collect(target.preflight(need(1, 1)))).toEqual([
      { severity: 'blocker', code: 'TargetNotWritable', message: `there is no ${join(folder, 'none')}` },
      {
        severity: 'blocker',
        code: 'TargetNotWritable',
        message: `${join(folder, 'sub')} is neither a block device nor a regular file`,
      },
    ]);
    expect(() => statSync(join(folder, 'none'))).toThrow('ENOENT');
  });

  test('a second machine for the same devices is noticed before the first is copied', async () => {
    const target = await openTarget(makeDevice('a', 1));
    expect(await collect(target.preflight(need(1)))).toEqual([]);
    expect(await collect(target.preflight(need(1)))).toEqual([]);
    expect(await collect(target.preflight({ ...need(1), machineName: 'other' }))).toMatchObject([
      { severity: 'blocker', code: 'TargetDevicesMismatch', message: expect.stringContaining('"vm"') },
    ]);
  });

  test('a full or unwritable state folder stops', async () => {
    storage.freeBytes = async () => 1000;
    const target = await openTarget(makeDevice('a', 1));
    expect(await collect(target.preflight(need(1)))).toEqual([
      {
        severity: 'blocker',
        code: 'TargetFull',
        message: '/state has 1000 B free; checkpoints and documents need 4 MiB',
      },
    ]);
    storage.findWriteProblem = async () => '/state may not be written (EROFS)' as never;
    expect(await collect(target.preflight(need(1)))).toMatchObject([{ code: 'TargetNotWritable' }]);
  });
});

describe('a machine on devices', () => {
  test('writes each disk to its device, zeroes holes, touches nothing behind, leaves the documents', async () => {
    const [a, b] = [makeDevice('a', 3 * MIB), makeDevice('b', 100_077)];
    const target = await openTarget(a, b);
    expect(target).toMatchObject({ kind: 'device', diskFormat: 'raw', location: `device:${a},${b}?state=/state` });
    {
      await using machine = await target.openMachine('vm');
      expect(machine).toMatchObject({ isContinued: false, location: '/state' });
      expect([machine.diskFileName(0), machine.diskFileName(1)]).toEqual([a, b]);
      await using first = await machine.openDisk(0, 2 * MIB);
      expect(first).toMatchObject({ isKnownZero: false, laneTarget: { raw: { path: a, name: a } } });
      await first.write(65_536, Buffer.alloc(65_536, 7));
      await first.zero?.(0, 65_536);
      await first.zero?.(131_072, 2 * MIB - 131_072);
      await using second = await machine.openDisk(1, 100_001);
      await second.write(0, Buffer.alloc(65_536, 8));
      await second.zero?.(65_536, 34_465);
      await second.finish();
      await machine.saveState('disk-0', Buffer.from('done'));
      await machine.finish(documents);
    }
    const written = readFileSync(a);
    expect([written.length, written[0], written[65_536], written[131_072]]).toEqual([3 * MIB, 0, 7, 0]);
    expect(written.subarray(131_072, 2 * MIB).every((byte) => byte === 0)).toBe(true);
    expect(written.subarray(2 * MIB).every((byte) => byte === 0xff)).toBe(true);
    const odd = readFileSync(b);
    expect([odd.length, odd[65_535], odd[65_536], odd[100_000], odd[100_001]]).toEqual([100_077, 8, 0, 0, 0xff]);
    expect(await stateFiles()).toEqual(['machine.yaml', 'report.json', 'report.md']);
  });

  test('what was written opens as a raw disk of its own size', async () => {
    const target = await openTarget(makeDevice('a', MIB));
    await using machine = await target.openMachine('vm');
    await using writer = await machine.openDisk(0, 200_000);
    await using written = await writer.openWritten();
    expect(written).toMatchObject({ format: 'raw', virtualSizeBytes: 200_000 });
    const [piece] = (await collect(written.ranges())).flatMap(({ pieces }) => pieces);
    expect(piece).toMatchObject({ offset: 0, length: 200_000 });
    await expect(writer.write(199_999, Buffer.alloc(2))).rejects.toThrow(RangeError);
    await expect(writer.zero?.(199_999, 2)).rejects.toThrow(RangeError);
  });

  test('a disk that does not fit, or has no device, is refused also without preflight', async () => {
    const target = await openTarget(makeDevice('a', 1000));
    await using machine = await target.openMachine('vm');
    await expect(machine.openDisk(0, 1001)).rejects.toMatchObject({
      code: 'TargetTooSmall',
      context: { sizeBytes: 1000, virtualSizeBytes: 1001 },
    });
    await expect(machine.openDisk(1, 1)).rejects.toMatchObject({ code: 'TargetDevicesMismatch' });
  });

  test('an interrupted run is continued, with what it recorded of the holes', async () => {
    const a = makeDevice('a', MIB);
    {
      await using machine = await (await openTarget(a)).openMachine('vm');
      await using writer = await machine.openDisk(0, MIB);
      await writer.zero?.(0, 65_536);
      await machine.saveState('disk-0', Buffer.from('half'));
    }
    expect(await stateFiles()).toEqual(['devices.state', 'disk-0.state']);
    expect(JSON.parse(String(storage.readWhole('/state/devices.state')))).toMatchObject({
      version: 1,
      machine: 'vm',
      devices: [{ path: a, zeroes: 'written' }],
    });
    await using machine = await (await openTarget(a)).openMachine('vm');
    expect(machine.isContinued).toBe(true);
    expect(String(await machine.loadState('disk-0'))).toBe('half');
    expect(await machine.hasDisk(0)).toBe(true);
    await machine.discardDisk(0);
    expect(await machine.loadState('disk-0')).toBeUndefined();
  });

  test('restart forgets the state and leaves nothing when it ends at once', async () => {
    const a = makeDevice('a', MIB);
    await interruptedRun(a);
    {
      await using machine = await (await openTarget(a)).openMachine('vm', { restart: true });
      expect(machine.isContinued).toBe(false);
      expect(await machine.loadState('disk-0')).toBeUndefined();
    }
    expect(await stateFiles()).toEqual([]);
  });

  test('a run that ends before its first checkpoint removes the folders it made', async () => {
    const target = await openDeviceTarget({
      paths: [makeDevice('a', 1)],
      stateFolder: '/made/for/this',
      storage,
      calls,
    });
    await using machine = await target.openMachine('vm');
    expect(await storage.exists('/made/for/this')).toBe(true);
    await machine[Symbol.asyncDispose]();
    expect(await storage.exists('/made')).toBe(false);
  });

  test('discarding removes what is ours and leaves what else is in the folder', async () => {
    await storage.makeFolder('/state');
    await storage.openFolder('/state').replaceFile('notes.txt', Buffer.from('mine'));
    await storage.openFolder('/state').replaceFile('other.state', Buffer.from('mine too'));
    const a = makeDevice('a', 1);
    await interruptedRun(a);
    await using machine = await (await openTarget(a)).openMachine('vm');
    await machine.discard();
    expect(await stateFiles()).toEqual(['notes.txt', 'other.state']);
  });

  test('two runs cannot have one state folder at once', async () => {
    const a = makeDevice('a', 1);
    await using _first = await (await openTarget(a)).openMachine('vm');
    await expect((await openTarget(makeDevice('b', 1))).openMachine('vm')).rejects.toMatchObject({
      code: 'TargetBusy',
    });
  });
});

describe('state of something else is not continued', () => {
  test.each([
    ['another machine', (a: string) => openTarget(a), 'other', '/state holds the state of "vm", not "other"'],
    ['another device', () => openTarget(makeDevice('b', MIB)), 'vm', 'this one would write to'],
    [
      'another device under the same name',
      (a: string) => {
        renameSync(makeDevice('b', MIB), a);
        return openTarget(a);
      },
      'vm',
      'is another device than in the earlier run: it was "1048576 bytes, inode',
    ],
    ['more devices', (a: string) => openTarget(a, makeDevice('b', MIB)), 'vm', 'this one would write to'],
  ] as const)('%s', async (_what, open, name, message) => {
    const a = makeDevice('a', MIB);
    await interruptedRun(a);
    await expect((await open(a)).openMachine(name)).rejects.toMatchObject({
      code: 'PlanChanged',
      message: expect.stringContaining(message),
    });
    expect(await stateFiles()).toEqual(['devices.state', 'disk-0.state']);
  });

  test.each([
    ['{', 'is damaged'],
    ['{"version":2}', 'is damaged'],
  ])('a record %j', async (text, message) => {
    const a = makeDevice('a', MIB);
    await interruptedRun(a);
    await storage.openFolder('/state').replaceFile('devices.state', Buffer.from(text));
    await expect((await openTarget(a)).openMachine('vm')).rejects.toMatchObject({
      code: 'CheckpointUnusable',
      message: expect.stringContaining(message),
    });
  });

  test('checkpoints without a record mean nothing', async () => {
    const a = makeDevice('a', MIB);
    await interruptedRun(a);
    await storage.openFolder('/state').removeFile('devices.state');
    await using machine = await (await openTarget(a)).openMachine('vm');
    expect(machine.isContinued).toBe(false);
    expect(await machine.loadState('disk-0')).toBeUndefined();
  });
});

describe('a finished import', () => {
  test('is not overwritten, whether planned or begun', async () => {
    const target = await openTarget(makeDevice('a', 1));
    {
      await using machine = await target.openMachine('vm');
      await machine.finish(documents);
    }
    expect(await collect(target.preflight(need(1)))).toEqual([
      { severity: 'blocker', code: 'TargetExists', message: '/state holds a finished import' },
    ]);
    await expect(target.openMachine('vm', { restart: true })).rejects.toMatchObject({ code: 'TargetExists' });
    expect(await stateFiles()).toEqual(['machine.yaml', 'report.json', 'report.md']);
  });

  test('a power cut at any moment of finishing ends in a finished import or one that goes on', async () => {
    class PowerCut extends Error {}
    let finished = 0;
    for (let cut = 1; ; cut += 1) {
      storage = new LossyStorage();
      const a = makeDevice('a', 1);
      await interruptedRun(a);
      const begin = storage.operations;
      storage.onOperation = (number) => {
        if (number >= begin + cut) throw new PowerCut();
      };
      const isDone = await finishOnce(a).catch((error: unknown) => {
        if (error instanceof PowerCut) return false;
        throw error;
      });
      if (isDone) break;
      storage.onOperation = () => {};
      storage.crash(() => 0.5);
      const again = await openTarget(a);
      const findings = await collect(again.preflight(need(1)));
      if (findings.length > 0) {
        finished += 1;
        expect(findings).toMatchObject([{ code: 'TargetExists' }]);
        expect(String(storage.readWhole('/state/machine.yaml'))).toBe(documents[0]?.text);
        continue;
      }
      await using machine = await again.openMachine('vm');
      expect(machine.isContinued).toBe(true);
      expect(String(await machine.loadState('disk-0'))).toBe('half');
      // A failure now must not leave the report of the run before, which would look finished.
      await machine.discard();
      expect(await stateFiles()).toEqual([]);
    }
    expect(finished).toBeGreaterThan(0);
  });

  async function finishOnce(path: string): Promise<boolean> {
    await using machine = await (await openTarget(path)).openMachine('vm');
    await machine.finish(documents);
    return true;
  }
});
