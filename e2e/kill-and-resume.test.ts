// A process killed with SIGKILL anywhere continues by the same command and ends identical (ruling 35). AIRLIFT_KILLS sets how many are tried (20 by hand), AIRLIFT_SEED the disk.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { leafCount } from '../src/domain/digest-layout.ts';
import { type HttpFaults, HttpFileServer } from '../src/testing/http-file-server.ts';
import { buildOva } from '../src/testing/ova-builder.ts';
import { randomBelow, seededRandom } from '../src/testing/random.ts';
import { requireTool } from '../src/testing/require-tool.ts';
import { type Checkpoint, decodeCheckpoint } from '../src/transfer/checkpoint.ts';
import { buildLargeDisk } from './large-disk.ts';
import { qemuImg, type RunningCli, runCli, startCli, temporaryFolder } from './support.ts';

const MIB = 1024 * 1024;
const KILLS = Number(process.env.AIRLIFT_KILLS ?? 10);
const SEED = Number(process.env.AIRLIFT_SEED ?? 20261122);
/** Of each answer, of which there are about ten at once: slow enough that a kill lands where it should. */
const BYTES_PER_SECOND = 6 * MIB;
const FETCHED_TWICE_LIMIT = 64 * MIB;
/** A copied file reads at the disk's own speed and seldom reaches a checkpoint, so these kills prove less and fewer will do. */
const LOCAL_KILLS = Math.max(2, Math.round(KILLS / 4));
/** What one grain table of a VMDK covers. Read in one pass, a disk's leaves are done only when their table has come (ruling 3). */
const TABLE_COVERS_BYTES = 32 * MIB;
type Format = 'raw' | 'qcow2';

describe.skipIf(!requireTool('qemu-img'))('an import killed with SIGKILL', () => {
  const originals = temporaryFolder();
  const original = join(originals.path, 'original.raw');
  const local = join(originals.path, 'a.ova');
  let ova: Uint8Array;

  beforeAll(async () => {
    const { vmdk, content } = await buildLargeDisk({ virtualSizeBytes: 512 * MIB, dataBytes: 288 * MIB, seed: SEED });
    writeFileSync(original, content);
    ova = buildOva({
      machines: [{ id: 'killed', disks: [{ fileName: 'disk1.vmdk', capacityBytes: content.length }] }],
      contents: { 'disk1.vmdk': vmdk },
      manifest: 'sha256',
    });
    writeFileSync(local, ova);
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
      mostFetchedTwice = Math.max(mostFetchedTwice, run.fetchedTwice() ?? 0);
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

  test.each(['raw', 'qcow2'] as const)(
    'whose server knows no ranges reads from the start and writes nothing durable again: %s',
    async (format) => {
      await using run = await startImport(format, { ignoresRanges: true });
      await run.killAt(ova.length * 0.8);
      const durable = run.checkpoint()?.copiedBytes ?? 0;
      expect(durable).toBeGreaterThan(2 * TABLE_COVERS_BYTES);
      await run.finish();
      expectFinished(run, 'killed in a forward pass');
      const [disk] = run.report().disks;
      expect(disk.resumes).toBe(1);
      expect(disk.writtenBytes).toBeLessThan(disk.dataBytes + 2 * TABLE_COVERS_BYTES);
    },
  );

  test.each(['raw', 'qcow2'] as const)(
    'of a local file during verification reads no data again: %s',
    async (format) => {
      await using run = await startImport(format, 'local');
      await run.killWhenVerifying();
      await run.finish();
      expectFinished(run, 'killed during the verification of a local file');
      const [disk] = run.report().disks;
      expect(disk.resumes).toBe(1);
      expect(disk.fetchedBytes).toBeLessThan(ova.length + 4 * MIB);
    },
  );

  test(`${LOCAL_KILLS} times at 10 to 90 % of the time that a local file takes`, async () => {
    const random = seededRandom(SEED);
    const usualMs: Record<Format, number> = {
      raw: await timeLocalImport('raw'),
      qcow2: await timeLocalImport('qcow2'),
    };
    let ended = 0;
    for (let kill = 0; kill < LOCAL_KILLS; kill += 1) {
      const format = kill % 2 === 0 ? 'raw' : 'qcow2';
      const afterMs = usualMs[format] * (0.1 + 0.8 * random());
      await using run = await startImport(format, 'local');
      // A machine that is quicker this time ends the import first, which proves nothing and breaks nothing.
      if (await run.killAfter(afterMs)) ended += 1;
      else await run.finish();
      expectFinished(run, `local, killed after ${Math.round(afterMs)} of ${Math.round(usualMs[format])} ms`);
    }
    expect(ended).toBeLessThan(LOCAL_KILLS);
  });

  async function timeLocalImport(format: Format): Promise<number> {
    await using run = await startImport(format, 'local');
    const startedAt = performance.now();
    await run.finish();
    return performance.now() - startedAt;
  }

  /** One import, by the same command each time: through a server of its own, or of a local file. */
  async function startImport(format: Format, from: 'local' | HttpFaults = {}) {
    const folder = temporaryFolder();
    const faults = from === 'local' ? {} : from;
    const server = await HttpFileServer.start({
      files: { '/a.ova': ova },
      faults: { ...faults, bytesPerSecond: BYTES_PER_SECOND },
    });
    const source = from === 'local' ? local : server.url('/a.ova');
    const args = ['import', source, '--to', `dir:${folder.path}?format=${format}`, '--yes'];
    const partial = join(folder.path, 'killed.partial');
    let kills = 0;
    const kill = async (started: RunningCli, isTime: () => boolean) => {
      kills += 1;
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
      get kills() {
        return kills;
      },
      killAt: (bytesSent: number) => kill(startCli(args), () => server.bytesSent >= bytesSent),
      killWhenVerifying: () => kill(startCli(args), () => isVerifying(partial)),
      /** True when the import had finished before. */
      async killAfter(ms: number): Promise<boolean> {
        const started = startCli(args);
        await Promise.race([delay(ms), started.result]);
        started.process.kill('SIGKILL');
        await started.result;
        // Killed between the result's move to its name and the removal of the rest, it is finished too; the rest is all that differs.
        const isFinished = existsSync(join(folder.path, 'killed'));
        if (isFinished) rmSync(partial, { recursive: true, force: true });
        return isFinished;
      },
      checkpoint: () => readCheckpoint(partial),
      async finish() {
        server.faults = faults;
        const { status, stderr } = await runCli(args);
        expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
      },
      /** Undefined where nothing else is possible, or nobody counts. */
      fetchedTwice: () => (from === 'local' || from.ignoresRanges ? undefined : server.bytesSent - ova.length),
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
    expect(run.fetchedTwice() ?? 0, when).toBeLessThan(
      Math.max(1, run.kills) * Math.max(FETCHED_TWICE_LIMIT, ova.length / 100),
    );
  }
});

/** True once the last checkpoint of the copy is stored and the disk is not yet done: what goes on is finishing and verifying. */
function isVerifying(partial: string): boolean {
  const checkpoint = readCheckpoint(partial);
  if (checkpoint === undefined || checkpoint.result !== undefined) return false;
  const leaves = checkpoint.subtrees.reduce((sum, [level]) => sum + 2 ** level, 0);
  return leaves === leafCount(checkpoint.virtualSizeBytes);
}

function readCheckpoint(partial: string): Checkpoint | undefined {
  try {
    return decodeCheckpoint(readFileSync(join(partial, 'disk-0.state')));
  } catch (error) {
    // None yet, or the import has just ended and removed it.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
