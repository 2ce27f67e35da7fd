import { describe, expect, test } from 'vitest';
import type { ZeroMethod } from '../../formats/raw/device-disk.ts';
import type { DiskWriter } from '../../ports/disk-writer.ts';
import type { Volume } from './volume.ts';
import { decodeVolumeRecord, encodeVolumeRecord } from './volume-record.ts';
import { openVolumeTarget, type VolumeTargetOptions } from './volume-target.ts';

const checkpoint = Buffer.from([0, 1, 254, 255]);
const record = encodeVolumeRecord({ volume: 'uid-1', verify: 'readback', checkpoint });

function begin(stored?: Uint8Array, given: Partial<VolumeTargetOptions> = {}) {
  const kept = { bytes: stored, removals: 0 };
  const opened: boolean[] = [];
  const remarks: string[] = [];
  const device = { zeroMethod: undefined as ZeroMethod | undefined, isClosed: false };
  const volume: Volume = {
    get zeroMethod() {
      return device.zeroMethod;
    },
    hasDisk: async () => true,
    openDisk: async (_, { isContinued }) => {
      opened.push(isContinued);
      return {} as DiskWriter;
    },
    allocatedBytes: async () => 7,
    [Symbol.asyncDispose]: async () => {
      device.isClosed = true;
    },
  };
  const state = {
    load: async () => kept.bytes,
    save: async (bytes: Uint8Array) => {
      kept.bytes = bytes;
    },
    remove: async () => {
      kept.removals += 1;
      kept.bytes = undefined;
    },
  };
  const onRemark = (remark: string) => void remarks.push(remark);
  const open = () =>
    openVolumeTarget({ volume, name: 'vms/web', uid: 'uid-1', verify: 'readback', state, onRemark, ...given });
  return { open, kept, opened, remarks, device };
}

describe('a volume as a target', () => {
  test('without a record is written from its start, and nothing on it is believed', async () => {
    const { open, opened, remarks } = begin();
    await using target = await open();
    expect(target.isContinued).toBe(false);
    expect(await target.loadState('disk-0')).toBeUndefined();
    await target.openDisk(0, 1024);
    expect(opened).toEqual([false]);
    expect(remarks).toEqual([]);
  });

  test('with a record of its own is continued with the checkpoint in it, byte for byte', async () => {
    const { open, opened } = begin(record);
    await using target = await open();
    expect(target.isContinued).toBe(true);
    expect(Buffer.from((await target.loadState('disk-0')) ?? [])).toEqual(checkpoint);
    await target.openDisk(0, 1024);
    expect(opened).toEqual([true]);
  });

  test.each([
    ['of another volume', record, { uid: 'uid-2' }, 'another volume'],
    ['made without digests', record, { verify: 'none' as const }, 'told to verify by "readback"'],
    ['that is torn', record.subarray(0, record.length - 4), {}, 'cannot be read'],
    ['of a later version', Buffer.from('{"version":2}'), {}, 'cannot be read'],
    ['that is none', Buffer.from([0xff, 0xfe]), {}, 'cannot be read'],
  ])('with a record %s is written from its start, which is said', async (_, stored, given, words) => {
    const { open, opened, remarks } = begin(stored, given);
    await using target = await open();
    await target.openDisk(0, 1024);
    expect(opened).toEqual([false]);
    expect(remarks).toEqual([expect.stringContaining(words)]);
    expect(remarks[0]).toContain('copied from its start');
  });

  test('keeps what the engine saves, with the volume it is about', async () => {
    const { open, kept } = begin();
    await using target = await open();
    await target.saveState('disk-0', checkpoint);
    expect(decodeVolumeRecord(kept.bytes ?? new Uint8Array())).toMatchObject({
      volume: 'uid-1',
      verify: 'readback',
      checkpoint: Buffer.from(checkpoint),
    });
  });

  test('remembers zeroes that were written: they are data to whoever counts what is allocated (ruling 5)', async () => {
    const { open, kept, device } = begin();
    await using target = await open();
    const zeroes = async (method: ZeroMethod | undefined) => {
      device.zeroMethod = method;
      await target.saveState('disk-0', checkpoint);
      return decodeVolumeRecord(kept.bytes ?? new Uint8Array())?.zeroes;
    };
    expect(await zeroes('punched')).toBe('punched');
    expect(await zeroes('written')).toBe('written');
    expect(await zeroes('punched')).toBe('written');
    expect(await zeroes(undefined)).toBe('written');
  });

  test('discarded, what was stored is removed, and a target of nothing leaves the keeper alone', async () => {
    const fresh = begin();
    await using nothing = await fresh.open();
    await nothing.discard();
    expect(fresh.kept.removals).toBe(0);

    const { open, kept, opened } = begin(record);
    await using target = await open();
    await target.discard();
    expect(kept).toMatchObject({ bytes: undefined, removals: 1 });
    await target.openDisk(0, 1024);
    expect(opened).toEqual([false]);
    await target.discard();
    expect(kept.removals).toBe(1);
  });

  test('a record that is not believed is removed all the same', async () => {
    const { open, kept } = begin(record, { uid: 'uid-2' });
    await using target = await open();
    await target.discard();
    expect(kept.bytes).toBeUndefined();
  });

  test('is closed with its volume, and takes no documents', async () => {
    const { open, device } = begin();
    {
      await using target = await open();
      await target.finish([]);
      await expect(target.finish([{ name: 'report.md', content: '' }] as never)).rejects.toThrow(RangeError);
    }
    expect(device.isClosed).toBe(true);
  });
});
