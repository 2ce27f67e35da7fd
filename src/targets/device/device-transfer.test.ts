// Whole transfers onto devices full of 0xff, so that every hole that was not zeroed shows.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LEAF_BYTES } from '../../domain/digest-layout.ts';
import { openLaneWriter } from '../../formats/lane-writer.ts';
import type { DeviceHandle, OpenDevice } from '../../formats/raw/open-device.ts';
import { createLibc, libc } from '../../lib/libc.ts';
import type { VerifyMode } from '../../ports/transfer.ts';
import { HurriedClock } from '../../testing/fake-clock.ts';
import { LossyStorage } from '../../testing/lossy-storage.ts';
import { plainWindow } from '../../testing/plain-window.ts';
import { seededRandom } from '../../testing/random.ts';
import {
  buildSyntheticDisk,
  decodeSynthetic,
  type SyntheticDisk,
  syntheticReader,
} from '../../testing/synthetic-disk.ts';
import { createInlineLanes } from '../../transfer/lanes/inline-lanes.ts';
import { loadLibcryptoHashes } from '../../transfer/libcrypto-hashes.ts';
import { nodeHashes } from '../../transfer/stored-digest.ts';
import { transferDisk } from '../../transfer/transfer-disk.ts';
import { compareDisk } from '../../transfer/verify-disk.ts';
import { openDeviceMachine } from './device-machine.ts';
import { openDeviceTarget } from './device-target.ts';
import { openDeviceDisk } from './open-device-disk.ts';
import { openFolderState } from './transfer-state.ts';

const parts = {
  decode: decodeSynthetic,
  lanes: createInlineLanes({ decode: decodeSynthetic, openWriter: openLaneWriter }),
  window: plainWindow,
  hashes: loadLibcryptoHashes() ?? nodeHashes,
  clock: new HurriedClock(),
};
const REST_BYTES = 4096;
/** Power cuts tried per case; CI and the full size set more. */
const CUTS = Number(process.env.AIRLIFT_CRASH_POINTS ?? 12);
const disk = buildSyntheticDisk({ virtualSizeBytes: 5 * LEAF_BYTES + 1024 + 77, density: 0.3, pieceBytes: 65_536 });
const shuffled = buildSyntheticDisk({
  virtualSizeBytes: 3 * LEAF_BYTES + 1024,
  density: 0.3,
  order: 'shuffled',
  seed: 5,
});
const empty = buildSyntheticDisk({ virtualSizeBytes: 2 * LEAF_BYTES + 5, density: 0 });

function expectOnDevice(device: Buffer | undefined, { content }: SyntheticDisk): void {
  expect(device?.length).toBe(content.length + REST_BYTES);
  expect(device?.subarray(0, content.length).equals(content)).toBe(true);
  expect(device?.subarray(content.length).every((byte) => byte === 0xff)).toBe(true);
}

describe('a disk onto a device', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'airlift-device-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test.each([
    ['pieces in order, holes punched', disk, libc, 'punched'],
    ['pieces in order, holes written', disk, createLibc(undefined), 'written'],
    ['pieces in disorder', shuffled, libc, 'punched'],
    ['nothing but holes', empty, libc, 'punched'],
  ] as const)('%s: every byte is right, and none behind it changes', async (_what, source, calls, zeroes) => {
    const path = join(folder, 'device');
    writeFileSync(path, Buffer.alloc(source.content.length + REST_BYTES, 0xff));
    const storage = new LossyStorage();
    const target = await openDeviceTarget({ paths: [path], stateFolder: '/state', storage, calls });
    await using machine = await target.openMachine('vm');
    const result = await transferDisk(parts, syntheticReader(source), {
      target: machine,
      index: 0,
      verify: 'readback',
    });
    expectOnDevice(readFileSync(path), source);
    expect(JSON.parse(String(storage.readWhole('/state/devices.state')))).toMatchObject({ devices: [{ zeroes }] });

    await machine.finish([{ name: 'report.json', text: '{}' }]);
    const digest = result.digest ?? expect.fail('no digest');
    const compare = async () => {
      await using reader = await openDeviceDisk(path, source.content.length);
      return compareDisk(parts, reader, digest);
    };
    expect(await compare()).toEqual([]);
    const damaged = readFileSync(path);
    damaged[source.content.length - 1] = (damaged[source.content.length - 1] ?? 0) ^ 1;
    writeFileSync(path, damaged);
    expect(await compare()).toMatchObject([{ offset: expect.any(Number) }]);
  });
});

describe('a device that loses power', () => {
  class PowerCut extends Error {}

  test.each([
    ['in order', 'readback', disk],
    ['in order', 'none', disk],
    ['shuffled', 'readback', shuffled],
    ['only holes', 'none', empty],
  ] as const)('%s, verify %s: continues and ends identical', async (_order, verify, source) => {
    const total = await countOperations(source, verify);
    let continued = 0;
    for (let cut = 1; cut <= CUTS; cut += 1) {
      const random = seededRandom(cut);
      const storage = await deviceFullOfOnes(source);
      const end = storage.operations + Math.round((total * cut) / (CUTS + 1));
      storage.onOperation = (operation) => {
        if (operation >= end) throw new PowerCut();
      };
      await expect(importOnce(storage, source, verify)).rejects.toSatisfy(isPowerCut);
      storage.onOperation = () => {};
      storage.crash(random);
      // What a power cut leaves of the device is anything; what the checkpoint says is done is there.
      continued += await importOnce(storage, source, verify);
      expectOnDevice(storage.readWhole('/dev/sdb'), source);
    }
    expect(continued).toBeGreaterThan(0);
  });

  /** Putting things away fails as well. */
  function isPowerCut(error: unknown): boolean {
    return error instanceof PowerCut || (error instanceof SuppressedError && isPowerCut(error.suppressed));
  }

  async function countOperations(source: SyntheticDisk, verify: VerifyMode): Promise<number> {
    const storage = await deviceFullOfOnes(source);
    const before = storage.operations;
    await importOnce(storage, source, verify);
    return storage.operations - before;
  }

  async function deviceFullOfOnes({ content }: SyntheticDisk): Promise<LossyStorage> {
    const storage = new LossyStorage();
    await storage.makeFolder('/dev');
    await using file = await storage.openFolder('/dev').openFile('sdb', { create: true });
    await file.write(0, Buffer.alloc(content.length + REST_BYTES, 0xff));
    await file.sync();
    await storage.openFolder('/dev').sync();
    return storage;
  }

  /** Returns how often the transfer was continued. */
  async function importOnce(storage: LossyStorage, source: SyntheticDisk, verify: VerifyMode): Promise<number> {
    const state = await openFolderState(storage, '/state');
    await using machine = await openDeviceMachine({ name: 'vm', devices: [await lossyDevice(storage)], state });
    const result = await transferDisk(parts, syntheticReader(source), { target: machine, index: 0, verify });
    await machine.finish([{ name: 'report.json', text: '{}' }]);
    return result.resumes;
  }

  async function lossyDevice(storage: LossyStorage): Promise<OpenDevice> {
    const file = (await storage.openFolder('/dev').openFile('sdb')) ?? expect.fail('no device');
    const handle = {
      fd: -1,
      sync: () => file.sync(),
      async write(bytes: Uint8Array, from: number, length: number, offset: number) {
        await file.write(offset, bytes.subarray(from, from + length));
        return { bytesWritten: length };
      },
      async read(into: Uint8Array, from: number, length: number, offset: number) {
        return { bytesRead: await file.read(offset, into.subarray(from, from + length)) };
      },
    } as unknown as DeviceHandle;
    return {
      path: '/dev/sdb',
      handle,
      isBlockDevice: true,
      sizeBytes: await file.sizeBytes(),
      logicalBlockBytes: 512,
      node: 'device 1',
      identity: 'serial 1',
      calls: createLibc(undefined),
      [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
    };
  }
});
