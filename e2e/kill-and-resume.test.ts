// A process killed with SIGKILL anywhere continues by the same command and ends identical (ruling 35).
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { decodePiece } from '../src/formats/decode-piece.ts';
import { HttpFileServer } from '../src/testing/http-file-server.ts';
import { buildOva } from '../src/testing/ova-builder.ts';
import { randomBelow, seededRandom } from '../src/testing/random.ts';
import { buildLargeDisk } from './large-disk.ts';
import { runCli, startCli, temporaryFolder } from './support.ts';

const KILLS = Number(process.env.AIRLIFT_KILLS ?? 20);
const SEED = Number(process.env.AIRLIFT_SEED ?? 20261122);
/** Slow enough that a kill lands where it should. */
const BYTES_PER_SECOND = 60 * 1024 * 1024;

describe('killed at 5 to 95 % of a throttled source', () => {
  let ova: Uint8Array;
  let contentDigest: string;

  beforeAll(async () => {
    const { vmdk, content } = await buildLargeDisk({ virtualSizeBytes: 512 * 1024 * 1024, dataBytes: 160 * 1024 * 1024, seed: SEED });
    contentDigest = sha256(content);
    ova = buildOva({
      machines: [{ name: 'killed', disks: [{ id: 'disk1', fileName: 'disk1.vmdk', capacityBytes: content.length }] }],
      contents: { 'disk1.vmdk': vmdk },
      manifest: 'sha256',
    } as Parameters<typeof buildOva>[0]);
    expect(decodePiece).toBeTypeOf('function');
  });

  test(`${KILLS} kills of a raw and a qcow2 import, seed ${SEED}`, async () => {
    const random = seededRandom(SEED);
    let resumedAboveZero = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const format = kill % 2 === 0 ? 'raw' : 'qcow2';
      const percent = 5 + Math.round((90 * kill) / Math.max(1, KILLS - 1));
      using folder = temporaryFolder();
      await using server = await HttpFileServer.start({ files: { '/a.ova': ova }, faults: { bytesPerSecond: BYTES_PER_SECOND } });
      const args = ['import', server.url('/a.ova'), '--to', `dir:${folder.path}?format=${format}`, '--yes'];

      const first = startCli(args);
      const killAt = (ova.length * percent) / 100 + randomBelow(random, 100_000);
      while (server.bytesSent < killAt && first.process.exitCode === null) await delay(5);
      first.process.kill('SIGKILL');
      expect((await first.result).signal).toBe('SIGKILL');
      expect(existsSync(join(folder.path, 'killed'))).toBe(false);

      const sentBefore = server.bytesSent;
      server.faults = {};
      const second = await runCli(args);
      expect({ status: second.status, stderr: second.status === 0 ? '' : second.stderr }).toEqual({ status: 0, stderr: '' });
      const twice = server.bytesSent - sentBefore + sentBefore - ova.length;
      expect(twice).toBeLessThan(Math.max(64 * 1024 * 1024, ova.length / 100));

      const machine = join(folder.path, 'killed');
      expect(readdirSync(machine).toSorted()).toEqual([`disk-0.${format}`, 'machine.yaml', 'report.json', 'report.md']);
      const report = JSON.parse(readFileSync(join(machine, 'report.json'), 'utf8'));
      if (report.disks[0].resumes > 0) resumedAboveZero += 1;
      expect(await diskDigest(join(machine, `disk-0.${format}`), format, folder.path)).toBe(contentDigest);
    }
    console.log(`${KILLS} kills: ${resumedAboveZero} continued from a checkpoint above zero`);
    expect(resumedAboveZero).toBeGreaterThanOrEqual(Math.floor(KILLS * 0.75));
  });
});

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
