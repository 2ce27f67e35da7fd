// A process killed with SIGKILL anywhere continues by the same command and ends identical (ruling 35). AIRLIFT_KILLS sets how many are tried, AIRLIFT_SEED the disk.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { leafCount } from '../src/domain/digest-layout.ts';
import { HttpFileServer } from '../src/testing/http-file-server.ts';
import { buildOva } from '../src/testing/ova-builder.ts';
import { randomBelow, seededRandom } from '../src/testing/random.ts';
import { requireTool } from '../src/testing/require-tool.ts';
import { decodeCheckpoint } from '../src/transfer/checkpoint.ts';
import { buildLargeDisk } from './large-disk.ts';
import { qemuImg, type RunningCli, runCli, startCli, temporaryFolder } from './support.ts';

const MIB = 1024 * 1024;
const KILLS = Number(process.env.AIRLIFT_KILLS ?? 20);
const SEED = Number(process.env.AIRLIFT_SEED ?? 20261122);
/** Slow enough that a kill lands where it should. */
const BYTES_PER_SECOND = 60 * MIB;
const FETCHED_TWICE_LIMIT = 64 * MIB;
type Format = 'raw' | 'qcow2';

describe.skipIf(!requireTool('qemu-img'))('an import killed with SIGKILL', () => {
  const originals = temporaryFolder();
  const original = join(originals.path, 'original.raw');
  let ova: Uint8Array;

  beforeAll(async () => {
    const { vmdk, content } = await buildLargeDisk({ virtualSizeBytes: 512 * MIB, dataBytes: 288 * MIB, seed: SEED });
    writeFileSync(original, content);
    ova = buildOva({
      machines: [{ id: 'killed', disks: [{ fileName: 'disk1.vmdk', capacityBytes: content.length }] }],
      contents: { 'disk1.vmdk': vmdk },
      manifest: 'sha256',
    });
  });
  afterAll(() => originals[Symbol.dispose]());

  test(`${KILLS} times at 5 to 95 % of a throttled source, seed ${SEED}`, async () => {
    const random = seededRandom(SEED);
    const resumes: number[] = [];
    let mostFetchedTwice = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const percent = 5 + (90 * kill) / Math.max(1, KILLS - 1);
      await using run = await startImport(kill % 2 === 0 ? 'raw' : 'qcow2');
      await run.killAt((ova.length * percent) / 100 + randomBelow(random, 100_000));
      await run.finish();
      expectFinished(run, `killed at ${percent.toFixed(0)} %`);
      mostFetchedTwice = Math.max(mostFetchedTwice, run.fetchedTwice());
      resumes.push(run.report().disks[0].resumes);
    }
    const continued = resumes.filter((each) => each > 0).length;
    console.log(
      `${KILLS} kills in ${Math.round(ova.length / MIB)} MiB, seed ${SEED}: ${continued} continued from a checkpoint above zero, at most ${Math.round(mostFetchedTwice / MIB)} MiB fetched twice`,
    );
    expect(continued).toBeGreaterThanOrEqual(Math.floor(KILLS * 0.75));
  });

  test.each(['raw', 'qcow2'] as const)('twice in a row continues each time: %s', async (format) => {
    await using run = await startImport(format);
    await run.killAt(ova.length * 0.35);
    await run.killAt(ova.length * 0.75);
    await run.finish();
    expectFinished(run, 'killed twice');
    expect(run.report().disks[0].resumes).toBe(2);
  });

  test.each(['raw', 'qcow2'] as const)('during verification fetches no data again: %s', async (format) => {
    await using run = await startImport(format);
    await run.killWhenVerifying();
    const sentBefore = run.server.bytesSent;
    await run.finish();
    expectFinished(run, 'killed during verification');
    // The descriptor, the manifest, the head of the disk and its tables, which every run reads.
    expect(run.server.bytesSent - sentBefore).toBeLessThan(4 * MIB);
    expect(run.report().disks[0].resumes).toBe(1);
  });

  /** One import through a server of its own, by the same command each time. */
  async function startImport(format: Format) {
    const folder = temporaryFolder();
    const faults = { bytesPerSecond: BYTES_PER_SECOND };
    const server = await HttpFileServer.start({ files: { '/a.ova': ova }, faults });
    const args = ['import', server.url('/a.ova'), '--to', `dir:${folder.path}?format=${format}`, '--yes'];
    const kill = async (started: RunningCli, isTime: () => boolean) => {
      while (!isTime() && started.process.exitCode === null) await delay(2);
      started.process.kill('SIGKILL');
      const { signal, stderr } = await started.result;
      expect({ signal, stderr: signal === 'SIGKILL' ? '' : stderr }).toEqual({ signal: 'SIGKILL', stderr: '' });
      expect(existsSync(join(folder.path, 'killed'))).toBe(false);
    };
    return {
      format,
      folder: folder.path,
      server,
      killAt: (bytesSent: number) => kill(startCli(args), () => server.bytesSent >= bytesSent),
      killWhenVerifying: () => kill(startCli(args), () => isVerifying(join(folder.path, 'killed.partial'))),
      async finish() {
        server.faults = {};
        const { status, stderr } = await runCli(args);
        expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
      },
      fetchedTwice: () => server.bytesSent - ova.length,
      report: () => JSON.parse(readFileSync(join(folder.path, 'killed', 'report.json'), 'utf8')),
      async [Symbol.asyncDispose]() {
        await server[Symbol.asyncDispose]();
        folder[Symbol.dispose]();
      },
    };
  }

  function expectFinished(run: Awaited<ReturnType<typeof startImport>>, when: string): void {
    const { folder, format } = run;
    const machine = join(folder, 'killed');
    expect(readdirSync(folder), when).toEqual(['killed']);
    expect(readdirSync(machine).toSorted(), when).toEqual([
      `disk-0.${format}`,
      'machine.yaml',
      'report.json',
      'report.md',
    ]);
    const written = join(machine, `disk-0.${format}`);
    expect(qemuImg('compare', '-f', format, '-F', 'raw', written, original), when).toContain('Images are identical');
    if (format === 'qcow2') expect(qemuImg('check', written), when).toContain('No errors were found');
    expect(run.fetchedTwice(), when).toBeLessThan(Math.max(FETCHED_TWICE_LIMIT, ova.length / 100));
  }
});

/** True once the last checkpoint of the copy is stored and the disk is not yet done: what goes on is finishing and verifying. */
function isVerifying(partial: string): boolean {
  const path = join(partial, 'disk-0.state');
  const checkpoint = existsSync(path) ? decodeCheckpoint(readFileSync(path)) : undefined;
  if (checkpoint === undefined || checkpoint.result !== undefined) return false;
  const leaves = checkpoint.subtrees.reduce((sum, [level]) => sum + 2 ** level, 0);
  return leaves === leafCount(checkpoint.virtualSizeBytes);
}
