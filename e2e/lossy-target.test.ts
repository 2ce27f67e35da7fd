// Power cuts (ruling 6): the target keeps, tears or loses each write that was not flushed. SIGKILL alone leaves the page cache alive and proves too little.
import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { openQcow2Image } from '../src/formats/qcow2/qcow2-image.ts';
import { openVmdk } from '../src/formats/vmdk/open-vmdk.ts';
import { createDataPlane } from '../src/main/data-plane.ts';
import { openDirTarget } from '../src/targets/dir/dir-target.ts';
import { FakeClock } from '../src/testing/fake-clock.ts';
import { LossyStorage } from '../src/testing/lossy-storage.ts';
import { MemoryImageFile } from '../src/testing/memory-image-file.ts';
import { MemoryStorageFile } from '../src/testing/memory-storage.ts';
import { seededRandom } from '../src/testing/random.ts';
import { buildLargeDisk } from './large-disk.ts';

const MIB = 1024 * 1024;
const CRASHES = Number(process.env.AIRLIFT_KILLS ?? 10);
const SEED = Number(process.env.AIRLIFT_SEED ?? 20261122);
type Format = 'raw' | 'qcow2';

class PowerCut extends Error {}

/** Three seconds pass at each look, so that a checkpoint is due every other range: the disk is small. */
class HurriedClock extends FakeClock {
  override monotonicMs(): number {
    this.ms += 3_000;
    return this.ms;
  }
}

const dataPlane = createDataPlane(new HurriedClock());

describe('a target that loses power at 5 to 95 % of its operations', () => {
  let vmdk: Uint8Array;
  let content: Buffer;
  beforeAll(async () => {
    ({ vmdk, content } = await buildLargeDisk({ virtualSizeBytes: 64 * MIB + 1536, dataBytes: 48 * MIB, seed: SEED }));
  });

  test.each(['raw', 'qcow2'] as const)(
    `${CRASHES} crashes of a streamOptimized VMDK to %s, seed ${SEED}`,
    async (format) => {
      const whole = new LossyStorage();
      await importDisk(whole, format);
      let continued = 0;
      for (let crash = 0; crash < CRASHES; crash += 1) {
        const percent = 5 + (90 * crash) / Math.max(1, CRASHES - 1);
        const storage = new LossyStorage();
        await loseStorageAt(storage, Math.round((whole.operations * percent) / 100), format);
        storage.crash(seededRandom(SEED + crash));
        expect(await storage.exists('/out/vm')).toBe(false);

        const resumes = await importDisk(storage, format);
        await expectFinished(storage, format, `crash at ${percent.toFixed(0)} %, seed ${SEED + crash}`);
        if (resumes > 0) continued += 1;
      }
      console.log(`${format}: ${CRASHES} crashes in ${whole.operations} operations, ${continued} continued above zero`);
      expect(continued).toBeGreaterThanOrEqual(Math.floor(CRASHES * 0.75));
    },
  );

  test.each(['raw', 'qcow2'] as const)('and again at each run that follows, until it is done: %s', async (format) => {
    const whole = new LossyStorage();
    await importDisk(whole, format);
    const storage = new LossyStorage();
    for (let run = 0; run < 4; run += 1) {
      await loseStorageAt(storage, storage.operations + Math.round(whole.operations / 4), format);
      storage.crash(seededRandom(SEED + run));
    }
    const resumes = await importDisk(storage, format);
    console.log(`${format}: four crashes in a row, continued ${resumes} times`);
    expect(resumes).toBeGreaterThanOrEqual(3);
    await expectFinished(storage, format, 'four crashes in a row');
  });

  /** Imports until operation `cut` and fails there; nothing happens after it, whatever cleaning up tries. */
  async function loseStorageAt(storage: LossyStorage, cut: number, format: Format): Promise<void> {
    storage.onOperation = (operation) => {
      if (operation >= cut) throw new PowerCut();
    };
    await expect(importDisk(storage, format)).rejects.toThrow();
    storage.onOperation = () => {};
  }

  /** One run; returns how often the copy was continued. */
  async function importDisk(storage: LossyStorage, format: Format): Promise<number> {
    const compression = format === 'qcow2' ? 'zstd' : 'none';
    await using target = await openDirTarget({ folder: '/out', format, compression, storage });
    await using machine = await target.openMachine('vm');
    const main = new MemoryImageFile(vmdk, { name: 'disk.vmdk' });
    await using reader = await openVmdk({ main, open: () => Promise.reject(new Error('it has one file')) });
    const { resumes } = await dataPlane.transferDisk(reader, { target: machine, index: 0, verify: 'readback' });
    await machine.finish([{ name: 'report.json', text: '{}' }]);
    return resumes;
  }

  async function expectFinished(storage: LossyStorage, format: Format, when: string): Promise<void> {
    expect(await storage.openFolder('/out').listFiles(), when).toEqual(['vm']);
    const files = await storage.openFolder('/out/vm').listFiles();
    expect(files.toSorted(), when).toEqual([`disk-0.${format}`, 'report.json']);
    const written = await readDisk(storage, format);
    expect({ bytes: written.length, sha256: sha256(written) }, when).toEqual({
      bytes: content.length,
      sha256: sha256(content),
    });
  }
});

async function readDisk(storage: LossyStorage, format: Format): Promise<Buffer> {
  const bytes = storage.readWhole(`/out/vm/disk-0.${format}`) ?? Buffer.alloc(0);
  if (format === 'raw') return bytes;
  const image = await openQcow2Image(new MemoryStorageFile('disk-0.qcow2', bytes));
  const read = Buffer.alloc(image.virtualSizeBytes);
  await image.read(0, read);
  return read;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
