// The worker as its own process against a real endpoint: what it writes, what it survives, and what it never learns.
import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, readSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { transferPath } from '../src/api/transfer-protocol.ts';
import { ProblemError } from '../src/domain/problems.ts';
import { HttpFileServer } from '../src/testing/http-file-server.ts';
import { canMakeLoopDevices, makeLoopDevice } from '../src/testing/loop-device.ts';
import { buildOva } from '../src/testing/ova-builder.ts';
import { requireTool } from '../src/testing/require-tool.ts';
import { EndpointHttp } from '../src/worker/endpoint-http.ts';
import { buildLargeDisk } from './large-disk.ts';
import { qemuImg, temporaryFolder } from './support.ts';
import { TOKEN, TRANSFER, until, Wire, WorkerWorld, type WorkerWorldOptions } from './worker-harness.ts';

const MIB = 1024 * 1024;
const account = { user: 'anna', password: 'password-of-the-account' };
/** Of each answer, of which there are some ten at once: the copy takes some eight seconds. */
const SLOW = { bytesPerSecond: 800 * 1024 };
const REST_BYTES = 4096;

let ova: Uint8Array;
let content: Buffer;
beforeAll(async () => {
  const built = await buildLargeDisk({ virtualSizeBytes: 160 * MIB + 1536, dataBytes: 110 * MIB, seed: 5 });
  content = built.content;
  ova = buildOva({
    machines: [{ id: 'web', disks: [{ fileName: 'disk1.vmdk', capacityBytes: content.length }] }],
    contents: { 'disk1.vmdk': built.vmdk },
    manifest: 'sha256',
  });
});

let folder: ReturnType<typeof temporaryFolder>;
let server: HttpFileServer;
let device: string;
beforeEach(async () => {
  folder = temporaryFolder();
  server = await HttpFileServer.start({ files: { '/exports/web.ova': ova }, credentials: account });
  device = join(folder.path, 'device');
  // Whatever is not written or zeroed shows.
  writeFileSync(device, Buffer.alloc(content.length + REST_BYTES, 0xff));
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

/** Through the endpoint, which has the account. */
const start = (options: Partial<WorkerWorldOptions> = {}) =>
  WorkerWorld.start({
    folder: folder.path,
    volumePath: device,
    sourceUrl: server.url('/exports/web.ova'),
    account,
    ...options,
  });

/** The worker reads a source without an account by itself. */
async function startDirect(options: Partial<WorkerWorldOptions> = {}): Promise<WorkerWorld> {
  await server[Symbol.asyncDispose]();
  server = await HttpFileServer.start({ files: { '/exports/web.ova': ova } });
  return await start({ sourceUrl: server.url('/exports/web.ova'), isDirect: true, ...options });
}

function expectCopied(path = device): void {
  const written = readFileSync(path);
  expect(written.subarray(0, content.length).equals(content)).toBe(true);
  // Nothing behind the disk is touched.
  expect(written.subarray(content.length).every((byte) => byte === 0xff)).toBe(true);
}

function expectUntouched(): void {
  expect(readFileSync(device).every((byte) => byte === 0xff)).toBe(true);
}

const doneIn = ({ desk }: WorkerWorld) => desk.checkpoint?.doneBytes ?? 0;
const isFollowed = (world: WorkerWorld) => () => doneIn(world) > 8 * MIB;

describe('a worker', () => {
  test.each([
    ['through the endpoint', start],
    ['by itself', startDirect],
  ])('copies %s, byte for byte, and says so', async (_how, begin) => {
    await using world = await begin();
    const worker = world.startWorker();
    expect(await worker.ended, worker.output).toEqual({ code: 0, signal: null });
    expectCopied();
    const [outcome] = world.desk.outcomes;
    expect(world.desk.outcomes).toHaveLength(1);
    expect(outcome).toMatchObject({
      epoch: 1,
      result: {
        virtualSizeBytes: content.length,
        digest: { root: expect.stringMatching(/^[0-9a-f]{64}$/) },
        storedDigests: [{ name: 'disk1.vmdk', algorithm: 'sha256', expected: expect.any(String) }],
        resumes: 0,
      },
    });
    // Fetched once, and not more than a moment's work too much.
    expect(server.bytesSent - ova.length).toBeLessThan(2 * MIB);
    expect(world.desk.checkpoints[0]).toMatchObject({ epoch: 1, doneBytes: expect.any(Number) });
  });

  test.skipIf(!requireTool('qemu-img'))('writes a file on a volume with a file system, holes as holes', async () => {
    const volumePath = join(folder.path, 'volume');
    mkdirSync(join(volumePath, 'lost+found'), { recursive: true });
    // Of something else that was there once.
    writeFileSync(join(volumePath, 'disk.img'), Buffer.alloc(content.length, 0xff));
    await using world = await start({ volumePath });
    const worker = world.startWorker();
    expect(await worker.ended, worker.output).toEqual({ code: 0, signal: null });
    const original = join(folder.path, 'original.raw');
    writeFileSync(original, content);
    const written = join(volumePath, 'disk.img');
    expect(qemuImg('compare', '-f', 'raw', '-F', 'raw', written, original)).toContain('Images are identical');
    expect(statSync(written).blocks * 512).toBeLessThan(content.length - 16 * MIB);
  });

  test.skipIf(!canMakeLoopDevices())('writes to a block device of 4096 bytes a block, killed midway', async () => {
    using loop = makeLoopDevice({ content: Buffer.alloc(161 * MIB, 0xff), logicalBlockBytes: 4096 });
    await using world = await start({ volumePath: loop.path });
    server.faults = { ...SLOW };
    const first = world.startWorker();
    await until('a checkpoint of some size', isFollowed(world));
    first.process.kill('SIGKILL');
    await first.ended;
    server.faults = {};
    world.desk.epoch = 2;
    const second = world.startWorker();
    expect(await second.ended, second.output).toEqual({ code: 0, signal: null });
    expect(readFileSync(loop.path).subarray(0, content.length).equals(content)).toBe(true);
    expect(
      readFileSync(loop.path)
        .subarray(content.length)
        .every((byte) => byte === 0xff),
    ).toBe(true);
    expect(world.desk.outcomes).toMatchObject([{ epoch: 2, result: { resumes: 1 } }]);
  });
});

describe('a worker that dies', () => {
  test('by SIGKILL is continued by the next from its last checkpoint', async () => {
    await using world = await start();
    server.faults = { ...SLOW };
    const killed = world.startWorker();
    await until('a checkpoint of some size', isFollowed(world));
    const stored = doneIn(world);
    killed.process.kill('SIGKILL');
    expect(await killed.ended).toEqual({ code: null, signal: 'SIGKILL' });
    await server.waitForAnswers();
    const askedBefore = server.requests.length;

    server.faults = {};
    world.desk.epoch = 2;
    const second = world.startWorker();
    expect(await second.ended, second.output).toEqual({ code: 0, signal: null });
    expectCopied();
    expect(world.desk.outcomes).toMatchObject([{ epoch: 2, result: { resumes: 1 } }]);
    const parts = server.requests.slice(askedBefore).filter(({ bodyBytes }) => bodyBytes > MIB / 2);
    const first = Math.min(...parts.map(({ range }) => Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1])));
    // Half of what was stored did not compress, so at least so much of the file lies before it, in file order.
    expect(first).toBeGreaterThan(stored / 2);
    // The window, and what came since the last checkpoint (docs/decisions/0009-window.md), with a moment's work on top.
    expect(server.bytesSent - ova.length).toBeLessThan(40 * MIB);
  });

  test('on SIGTERM saves what it has and says that it was interrupted', async () => {
    await using world = await start();
    server.faults = { ...SLOW };
    const first = world.startWorker();
    await until('progress', () => (world.desk.progress.at(-1)?.doneBytes ?? 0) > 8 * MIB);
    const stoppedAt = performance.now();
    first.process.kill('SIGTERM');
    expect(await first.ended, first.output).toEqual({ code: 143, signal: null });
    expect(performance.now() - stoppedAt).toBeLessThan(20_000);
    expect(world.desk.outcomes).toMatchObject([{ epoch: 1, problem: { code: 'TransferInterrupted' } }]);
    expect(doneIn(world)).toBeGreaterThan(4 * MIB);

    server.faults = {};
    world.desk.epoch = 2;
    const second = world.startWorker();
    expect(await second.ended, second.output).toEqual({ code: 0, signal: null });
    expectCopied();
  });

  test('with the controller away leaves within its grace all the same', async () => {
    await using world = await startDirect();
    server.faults = { ...SLOW };
    const worker = world.startWorker();
    await until('progress', () => (world.desk.progress.at(-1)?.doneBytes ?? 0) > 4 * MIB);
    await world.closeEndpoint();
    worker.process.kill('SIGTERM');
    const stoppedAt = performance.now();
    expect((await worker.ended).code, worker.output).toBe(143);
    expect(performance.now() - stoppedAt).toBeLessThan(25_000);
  });

  test('finished but unheard is asked once more and does nothing twice', async () => {
    await using world = await start();
    const first = world.startWorker();
    await until('the end', () => world.desk.outcomes.length > 0);
    await first.ended;
    const sent = server.bytesSent;
    world.desk.outcomes.length = 0;
    world.desk.epoch = 2;
    const second = world.startWorker();
    expect(await second.ended, second.output).toEqual({ code: 0, signal: null });
    expect(world.desk.outcomes).toMatchObject([{ epoch: 2, result: { virtualSizeBytes: content.length } }]);
    expectCopied();
    // Either the whole result was stored already, or the copy without it: then it is verified once more.
    expect(server.bytesSent - sent).toBeLessThan(ova.length + MIB);
  });
});

describe('while the controller is away (ruling 18)', () => {
  test('the copy goes on for 64 MiB at most, pauses, and goes on when it is back', async () => {
    await using world = await startDirect();
    server.faults = { bytesPerSecond: 512 * 1024 };
    const worker = world.startWorker();
    await until('progress', () => (world.desk.progress.at(-1)?.doneBytes ?? 0) > 2 * MIB);
    await world.closeEndpoint();
    const pausedAt = await pause();
    expect(worker.isRunning).toBe(true);
    expect(worker.output).toContain('endpoint away');
    // Nothing of it is stored, so all of it counts; the file holds about half of what it unpacks to.
    expect(pausedAt).toBeGreaterThan(8 * MIB);
    expect(writtenBytes() - doneIn(world)).toBeLessThan(64 * MIB);

    await world.openEndpoint();
    server.faults = {};
    expect(await worker.ended, worker.output).toEqual({ code: 0, signal: null });
    expectCopied();
    expect(server.bytesSent - ova.length).toBeLessThan(4 * MIB);
    expect(world.desk.outcomes).toMatchObject([{ epoch: 1, result: { resumes: 0 } }]);
  });

  test('a controller that takes reports but cannot store checkpoints is as good as away', async () => {
    await using world = await startDirect();
    world.desk.storeProblem = new ProblemError('ClusterUnreachable', 'the API does not answer');
    server.faults = { bytesPerSecond: 512 * 1024 };
    const worker = world.startWorker();
    await until('progress', () => (world.desk.progress.at(-1)?.doneBytes ?? 0) > 2 * MIB);
    await pause();
    expect(writtenBytes()).toBeLessThan(64 * MIB);
    expect(worker.isRunning).toBe(true);
    world.desk.storeProblem = undefined;
    server.faults = {};
    expect(await worker.ended, worker.output).toEqual({ code: 0, signal: null });
    expectCopied();
  });

  test('what is read through it waits longer than any number of tries, and goes on in the same process', async () => {
    await using world = await start();
    server.faults = { ...SLOW };
    const worker = world.startWorker();
    await until('progress', () => (world.desk.progress.at(-1)?.doneBytes ?? 0) > 4 * MIB);
    await world.closeEndpoint();
    await delay(12_000);
    expect(worker.isRunning).toBe(true);
    server.faults = {};
    await world.openEndpoint();
    expect(await worker.ended, worker.output).toEqual({ code: 0, signal: null });
    expectCopied();
    expect(world.desk.outcomes).toMatchObject([{ epoch: 1, result: { resumes: 0 } }]);
  });

  /** Returns how much the server has sent once it sends nothing more. */
  async function pause(): Promise<number> {
    for (let before = -1; before !== server.bytesSent; ) {
      before = server.bytesSent;
      await delay(3_000);
    }
    return server.bytesSent;
  }

  /** Bytes on the device that are no longer what they were. */
  function writtenBytes(): number {
    const bytes = readFileSync(device);
    let written = 0;
    for (let at = 0; at < bytes.length; at += 65_536) {
      const block = bytes.subarray(at, at + 65_536);
      if (block.some((byte) => byte !== 0xff) && block.some((byte) => byte !== 0)) written += block.length;
    }
    return written;
  }
});

describe('two workers (ruling 16)', () => {
  test('one that was cut off ends itself when it learns of its successor, which has finished meanwhile', async () => {
    await using world = await startDirect();
    await using wire = await Wire.to(world.port);
    server.faults = { ...SLOW };
    const old = world.startWorker({ AIRLIFT_ENDPOINT: wire.url });
    await until('a checkpoint of some size', isFollowed(world));
    wire.cut();

    server.faults = {};
    world.desk.epoch = 2;
    world.desk.podUid = 'uid-2';
    writeFileSync(join(folder.path, 'token-2'), 'token-of-the-next');
    const successor = world.startWorker({ AIRLIFT_TOKEN_FILE: join(folder.path, 'token-2') });
    expect(await successor.ended, successor.output).toEqual({ code: 0, signal: null });
    expectCopied();

    wire.mend();
    expect((await old.ended).code, old.output).toBe(40);
    expect(old.output).toContain('TransferSuperseded');
    expectCopied();
    expect(world.desk.outcomes).toMatchObject([{ epoch: 2, result: { resumes: 1 } }]);
    expect(world.desk.checkpoints.filter(({ epoch }) => epoch === 1).at(-1)?.atMs).toBeLessThan(
      world.desk.checkpoints.find(({ epoch }) => epoch === 2)?.atMs ?? Infinity,
    );
  });

  test('an old one that still reads through the endpoint is stopped within seconds', async () => {
    await using world = await start();
    server.faults = { ...SLOW };
    const old = world.startWorker();
    await until('progress', () => (world.desk.progress.at(-1)?.doneBytes ?? 0) > 2 * MIB);
    world.desk.epoch = 2;
    const since = performance.now();
    expect((await old.ended).code, old.output).toBe(40);
    expect(performance.now() - since).toBeLessThan(8_000);
    expect(world.desk.outcomes).toEqual([]);
  });
});

describe('what is wrong is told', () => {
  test('a token of another Pod: nothing is read, nothing is written, and it ends', async () => {
    await using world = await start();
    writeFileSync(join(folder.path, 'token'), 'token-of-another-pod');
    const worker = world.startWorker();
    expect((await worker.ended).code, worker.output).toBe(1);
    expect(worker.output).toContain('EndpointRefused');
    expect(server.requests).toEqual([]);
    expectUntouched();
  });

  test('a source that changes midway: what was copied counts for nothing', async () => {
    await using world = await start();
    server.faults = { ...SLOW };
    const worker = world.startWorker();
    await until('a checkpoint of some size', isFollowed(world));
    server.etag = '"second"';
    server.faults = {};
    expect((await worker.ended).code, worker.output).toBe(40);
    expect(world.desk.outcomes).toMatchObject([{ problem: { code: 'SourceChanged' } }]);
    expect(JSON.stringify(world.desk.outcomes)).not.toContain(world.endpointUrl);
    expect(world.desk.checkpoint).toBeUndefined();
  });

  test('a volume that is too small, before a byte is written', async () => {
    writeFileSync(device, Buffer.alloc(content.length - 1, 0xff));
    await using world = await start();
    const worker = world.startWorker();
    expect((await worker.ended).code, worker.output).toBe(40);
    expect(world.desk.outcomes).toMatchObject([
      { problem: { code: 'TargetTooSmall', detail: expect.stringContaining(String(content.length)) } },
    ]);
    expectUntouched();
  });

  test.skipIf(process.getuid?.() !== 0)('a device that belongs to root', async () => {
    chmodSync(device, 0o600);
    chmodSync(folder.path, 0o755);
    await using world = await start();
    const worker = world.startWorker({}, { uid: 65_534 });
    expect((await worker.ended).code, worker.output).toBe(1);
    expect(world.desk.outcomes).toMatchObject([{ problem: { code: 'VolumeNotWritable' } }]);
  });

  test('the account of the source that is no longer good, in the words of the source', async () => {
    await using world = await start({ account: { ...account, password: 'changed since' } });
    const worker = world.startWorker();
    expect((await worker.ended).code, worker.output).toBe(40);
    expect(world.desk.outcomes).toMatchObject([{ problem: { code: 'SourceAuthRequired' } }]);
  });

  test('a disk that differs from its manifest, and the record of it goes', async () => {
    const spoilt = Uint8Array.from(ova);
    // In the random half of some grain, which inflates to something else or not at all.
    spoilt[Math.floor(spoilt.length / 2)] = (spoilt[Math.floor(spoilt.length / 2)] ?? 0) ^ 1;
    server.files.set('/exports/web.ova', spoilt);
    await using world = await start();
    const worker = world.startWorker();
    expect((await worker.ended).code, worker.output).toBe(40);
    expect(world.desk.outcomes).toMatchObject([
      { problem: { code: expect.stringMatching(/^(DigestMismatch|DiskImageCorrupt)$/) } },
    ]);
    expect(world.desk.checkpoint).toBeUndefined();
  });

  test('an environment that lacks something', async () => {
    await using world = await start();
    const worker = world.startWorker({ AIRLIFT_EPOCH: 'first', AIRLIFT_ENDPOINT: 'http://127.0.0.1/' });
    expect((await worker.ended).code).toBe(40);
    expect(worker.output).toMatch(/WorkerEnvironmentInvalid.*AIRLIFT_ENDPOINT.*AIRLIFT_EPOCH/);
  });
});

describe('the account of the source (ruling 17)', () => {
  test('is nowhere where the worker is: environment, arguments, log, files, and all that it can ask for', async () => {
    await using world = await start();
    server.faults = { ...SLOW };
    const worker = world.startWorker();
    await until('progress', () => (world.desk.progress.at(-1)?.doneBytes ?? 0) > 2 * MIB);
    const { pid } = worker.process;
    const seen = ['environ', 'cmdline'].map((name) => readFileSync(`/proc/${pid}/${name}`, 'latin1'));
    seen.push(readMemory(pid ?? 0));
    const ca = readFileSync(join(folder.path, 'ca.crt'), 'utf8');
    await using http = new EndpointHttp(world.endpointUrl, async () => ca);
    const base = transferPath({ id: TRANSFER, epoch: 1 });
    for (const what of ['', '/assignment', '/checkpoint', '/source/web.ova', '/source/other.ova', '/secret']) {
      const headers = { authorization: `Bearer ${TOKEN}`, range: 'bytes=0-9' };
      const answer = await http.send({ method: 'GET', path: `${base}${what}`, headers });
      seen.push(JSON.stringify(answer.headers), Buffer.from(answer.body).toString('latin1'));
    }
    server.faults = {};
    expect((await worker.ended).code, worker.output).toBe(0);
    seen.push(worker.output, JSON.stringify([world.desk.outcomes, world.desk.progress]), world.log.join('\n'));
    for (const secret of [account.password, Buffer.from(`${account.user}:${account.password}`).toString('base64')])
      for (const [index, text] of seen.entries()) expect(text.includes(secret), `in ${index}: ${secret}`).toBe(false);
    // The source did see it.
    expect(server.requests.every(({ authorization }) => authorization?.startsWith('Basic '))).toBe(true);
    // And never the worker's own.
    expect(server.requests.some(({ authorization }) => authorization?.includes(TOKEN))).toBe(false);
  });

  /** All that the process may write to, where its strings are; what cannot be read is no memory. */
  function readMemory(pid: number): string {
    const found: string[] = [];
    const memory = openSync(`/proc/${pid}/mem`, 'r');
    try {
      for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
        const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
        const [start, length] = [
          Number.parseInt(from ?? '0', 16),
          Number.parseInt(to ?? '0', 16) - Number.parseInt(from ?? '0', 16),
        ];
        if (length <= 0 || length > 256 * MIB) continue;
        const bytes = Buffer.alloc(length);
        const read = readWhere(() => readSync(memory, bytes, 0, length, start));
        const text = bytes.subarray(0, read).toString('latin1');
        if (text.includes(account.password)) found.push(account.password);
      }
    } finally {
      closeSync(memory);
    }
    return found.join();
  }

  function readWhere(read: () => number): number {
    try {
      return read();
    } catch {
      return 0; // guard pages and the like
    }
  }
});
