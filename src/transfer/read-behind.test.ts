import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { LEAF_BYTES } from '../domain/digest-layout.ts';
import { decodePiece } from '../formats/decode-piece.ts';
import { randomBytes, seededRandom } from '../testing/random.ts';
import { digestLeaf } from './digest-tree.ts';
import { createInlineLanes } from './lanes/inline-lanes.ts';
import { ReadBehind } from './read-behind.ts';

const folder = mkdtempSync(join(tmpdir(), 'airlift-behind-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'disk.raw');
const content = Buffer.concat([
  randomBytes(seededRandom(1), LEAF_BYTES),
  Buffer.alloc(LEAF_BYTES),
  randomBytes(seededRandom(2), 70_000),
]);
const leaves = [0, 1, 2].map((leaf) => ({
  leaf,
  digest: digestLeaf(content.subarray(leaf * LEAF_BYTES, (leaf + 1) * LEAF_BYTES)),
}));

function open(options: { isIdle?: () => boolean; bytes?: Buffer } = {}): ReadBehind {
  writeFileSync(path, options.bytes ?? content);
  return new ReadBehind({
    lanes: createInlineLanes({ decode: decodePiece, openWriter: () => expect.fail('nothing is written') }),
    file: { path, name: path, offset: 0, sizeBytes: content.length, uncached: true },
    virtualSizeBytes: content.length,
    diskName: 'disk-0.raw',
    isIdle: options.isIdle ?? (() => true),
  });
}

/** Work here takes a bounded number of turns of the event loop. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe('ReadBehind', () => {
  test('finds durable leaves as they should be, short ones and zeroes too', async () => {
    await using behind = open();
    behind.offer(leaves);
    await settle();
    await behind.stop();
    expect([...behind.verified.keys()]).toEqual([0, 1, 2]);
  });

  test('names the leaf that differs', async () => {
    const damaged = Buffer.from(content);
    damaged[LEAF_BYTES + 7] = 1;
    await using behind = open({ bytes: damaged });
    behind.offer(leaves);
    await settle();
    const difference = {
      code: 'VerificationFailed',
      message: `disk-0.raw differs in bytes ${LEAF_BYTES} to ${2 * LEAF_BYTES - 1}`,
    };
    expect(() => behind.poke()).toThrow(expect.objectContaining(difference));
    await expect(behind.stop()).rejects.toMatchObject(difference);
    expect([...behind.verified.keys()]).toEqual([0]);
  });

  test('stands back while the copy needs the lanes, and goes on when poked', async () => {
    let isIdle = false;
    await using behind = open({ isIdle: () => isIdle });
    behind.offer(leaves);
    await settle();
    expect(behind.verified.size).toBe(0);
    isIdle = true;
    behind.poke();
    await settle();
    expect(behind.verified.size).toBe(3);
  });

  test('stopping leaves the rest to others', async () => {
    await using behind = open();
    behind.offer(leaves);
    await behind.stop();
    behind.offer(leaves);
    await settle();
    expect(behind.verified.size).toBeLessThan(3);
  });
});
