// A disk becomes an image: a real worker serves it, a downloader after Longhorn's or CDI's fetches it by way of the controller's URL, and a second worker proves what came out.
import { closeSync, openSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ImageAssignment, ProofAssignment } from '../src/api/transfer-protocol.ts';
import { ImageEndpoint } from '../src/controller/endpoint/image-endpoint.ts';
import { findFreePort } from '../src/testing/cluster/free-port.ts';
import { downloadAsCdi, downloadAsLonghorn } from '../src/testing/fake-image-downloader.ts';
import { HttpFileServer } from '../src/testing/http-file-server.ts';
import { buildOva } from '../src/testing/ova-builder.ts';
import { requireTool } from '../src/testing/require-tool.ts';
import { buildLargeDisk } from './large-disk.ts';
import { qemuImg, temporaryFolder } from './support.ts';
import { type RunningWorker, TRANSFER, until, WorkerWorld } from './worker-harness.ts';

const MIB = 1024 * 1024;
const IMAGE_TOKEN = 'bm9ib2R5IGNhbiBndWVzcyBpdA';
const account = { user: 'anna', password: 'password-of-the-account' };

let ova: Uint8Array;
let content: Buffer;
beforeAll(async () => {
  const built = await buildLargeDisk({ virtualSizeBytes: 160 * MIB + 1536, dataBytes: 80 * MIB, seed: 9 });
  content = built.content;
  ova = buildOva({
    machines: [{ id: 'web', disks: [{ fileName: 'disk1.vmdk', capacityBytes: content.length }] }],
    contents: { 'disk1.vmdk': built.vmdk },
    manifest: 'sha256',
  });
});

let folder: ReturnType<typeof temporaryFolder>;
let server: HttpFileServer;
let world: WorkerWorld;
let images: ImageEndpoint;
let port: number;
beforeEach(async () => {
  folder = temporaryFolder();
  server = await HttpFileServer.start({ files: { '/exports/web.ova': ova }, credentials: account });
  world = await WorkerWorld.start({
    folder: folder.path,
    volumePath: join(folder.path, 'volume'),
    sourceUrl: server.url('/exports/web.ova'),
    account,
  });
  port = await findFreePort();
  images = await ImageEndpoint.start({
    findImage: async ({ transferId, token, fileName }) => {
      if (transferId !== TRANSFER || token !== IMAGE_TOKEN) return undefined;
      return isServed() ? { url: `http://127.0.0.1:${port}/${token}/${fileName}` } : 'later';
    },
    log: { info() {}, warn() {}, error() {} },
    host: '127.0.0.1',
    port: 0,
  });
  assignImage();
});
afterEach(async () => {
  await images[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

function assignImage(more: Partial<ImageAssignment> = {}): void {
  const path = 'web.ova';
  world.desk.assignment = {
    source: { relay: { path, location: server.url('/exports/web.ova') } },
    disk: { id: '100', index: 0 },
    verify: 'readback',
    image: { token: IMAGE_TOKEN, port, name: 'team/image-x-0' },
    ...more,
  };
}

const isServed = () => world.desk.progress.some(({ epoch, phase }) => epoch === world.desk.epoch && phase === 'serve');
const url = () => `http://127.0.0.1:${images.port}/images/${TRANSFER}/${IMAGE_TOKEN}/web-disk-0.img`;

async function startServing(): Promise<RunningWorker> {
  const worker = world.startWorker();
  await until('the image is served', () => isServed() || !worker.isRunning);
  expect(worker.isRunning, worker.output).toBe(true);
  return worker;
}

function expectSame(file: string, format: 'qcow2' | 'raw'): void {
  const original = join(folder.path, 'original.raw');
  writeFileSync(original, content);
  expect(qemuImg('compare', '-f', 'raw', '-F', format, original, file)).toContain('Images are identical');
}

/** What Longhorn or CDI makes of the file: a volume that is a little larger. */
function makeVolume(file: string): void {
  qemuImg('convert', '-O', 'raw', file, join(folder.path, 'volume'));
  qemuImg('resize', '-f', 'raw', join(folder.path, 'volume'), String(164 * MIB));
}

async function prove(): Promise<RunningWorker> {
  const served = world.desk.outcomes.find((outcome) => 'served' in outcome);
  if (served === undefined || !('served' in served) || served.served.digest === undefined)
    throw new Error('not served');
  world.desk.epoch += 1;
  world.desk.assignment = {
    disk: { id: '100', index: 0 },
    volume: { uid: 'claim-uid', name: 'team/image-x-0' },
    proof: { virtualSizeBytes: content.length, digest: served.served.digest },
  } satisfies ProofAssignment;
  const worker = world.startWorker();
  await worker.ended;
  return worker;
}

describe.skipIf(!requireTool('qemu-img'))('a disk that others download', () => {
  test('by Longhorn, whole: a qcow2 that QEMU finds sound and equal to the disk, and a volume that is proven', async () => {
    const worker = await startServing();
    const file = join(folder.path, 'download');
    const { sizeBytes, virtualSizeBytes } = await downloadAsLonghorn(url(), file);
    expect(statSync(file).size).toBe(sizeBytes);
    expect(virtualSizeBytes).toBe(content.length);
    // Holes cost nothing.
    expect(sizeBytes).toBeLessThan(92 * MIB);
    expect(JSON.parse(qemuImg('check', '--output', 'json', file))).toMatchObject({ 'check-errors': 0 });
    expectSame(file, 'qcow2');
    expect(worker.isRunning).toBe(true);
    expect(worker.peakBytes).toBeLessThan(256 * MIB);

    world.desk.taken = true;
    expect(await worker.ended, worker.output).toEqual({ code: 0, signal: null });
    expect(world.desk.outcomes).toMatchObject([
      {
        served: {
          virtualSizeBytes: content.length,
          digest: { root: expect.stringMatching(/^[0-9a-f]{64}$/) },
          storedDigests: [{ name: 'disk1.vmdk', algorithm: 'sha256', expected: expect.any(String) }],
        },
      },
    ]);
    makeVolume(file);
    const proof = await prove();
    expect(await proof.ended, proof.output).toEqual({ code: 0, signal: null });
    expect(world.desk.outcomes.at(-1)).toMatchObject({ epoch: 2, result: { virtualSizeBytes: content.length } });
  });

  test('one bit of the volume that is wrong is found', async () => {
    const worker = await startServing();
    const file = join(folder.path, 'download');
    await downloadAsLonghorn(url(), file);
    world.desk.taken = true;
    await worker.ended;
    makeVolume(file);
    const at = content.findIndex((byte, index) => index > 100 * MIB && byte !== 0);
    const volume = openSync(join(folder.path, 'volume'), 'r+');
    writeSync(volume, Buffer.from([(content[at] ?? 0) ^ 1]), 0, 1, at);
    closeSync(volume);
    const proof = await prove();
    expect(await proof.ended, proof.output).toMatchObject({ code: 40 });
    const outcome = world.desk.outcomes.at(-1);
    expect(outcome).toMatchObject({ problem: { code: 'VerificationFailed' } });
    const [, first, last] = /bytes (\d+) to (\d+)/.exec(JSON.stringify(outcome)) ?? [];
    expect(Number(first)).toBeLessThanOrEqual(at);
    expect(Number(last)).toBeGreaterThanOrEqual(at);
  });

  test('by CDI, in ranges: goes on where it was when the worker is killed midway, at the same URL', async () => {
    server.faults = { bytesPerSecond: 3 * MIB };
    const first = await startServing();
    const file = join(folder.path, 'download');
    let done = 0;
    const downloading = downloadAsCdi(url(), file, { tries: 100, onBytes: (bytes) => (done = bytes) });
    await until('half of it', () => done > 30 * MIB);
    first.process.kill('SIGKILL');
    await first.ended;
    const before = done;
    server.faults = {};
    world.desk.epoch = 2;
    const second = await startServing();
    const { requests } = await downloading;
    expectSame(file, 'qcow2');
    // Each range once, but for the tries while nobody served.
    expect(new Set(requests).size).toBe(requests.length - 1);
    expect(before).toBeGreaterThan(30 * MIB);
    world.desk.taken = true;
    expect(await second.ended, second.output).toEqual({ code: 0, signal: null });
    // It proves all of the disk, also what its predecessor served.
    expect(world.desk.outcomes).toMatchObject([{ epoch: 2, served: { digest: { root: expect.any(String) } } }]);
    makeVolume(file);
    const proof = await prove();
    expect(await proof.ended, proof.output).toEqual({ code: 0, signal: null });
  });

  test('from a server without ranges: the raw disk, in one go (ruling 20)', async () => {
    server.faults = { ignoresRanges: true };
    const worker = await startServing();
    const file = join(folder.path, 'download');
    expect(await downloadAsLonghorn(url(), file)).toMatchObject({ sizeBytes: content.length });
    expectSame(file, 'raw');
    await downloadAsCdi(url(), file);
    expectSame(file, 'raw');
    world.desk.taken = true;
    expect(await worker.ended, worker.output).toEqual({ code: 0, signal: null });
    makeVolume(file);
    const proof = await prove();
    expect(await proof.ended, proof.output).toEqual({ code: 0, signal: null });
  });

  test('a source that breaks off midway makes the downloader begin again, and the file is right', async () => {
    const worker = await startServing();
    server.faults = { closesAfter: { bytes: 100_000, times: 30 } };
    const file = join(folder.path, 'download');
    await downloadAsLonghorn(url(), file, { tries: 20 });
    expectSame(file, 'qcow2');
    worker.process.kill('SIGTERM');
    expect((await worker.ended).code).toBe(143);
  });

  test('a source that has changed since an earlier run served it is not mixed with it', async () => {
    const first = await startServing();
    first.process.kill('SIGKILL');
    await first.ended;
    server.etag = '"another"';
    world.desk.epoch = 2;
    const second = world.startWorker();
    expect(await second.ended, second.output).toMatchObject({ code: 40 });
    expect(world.desk.outcomes).toMatchObject([{ problem: { code: 'SourceChanged' } }]);
  });

  test('nobody without the token gets a byte, from neither of the two', async () => {
    const worker = await startServing();
    const wrong = IMAGE_TOKEN.replace('b', 'c');
    for (const each of [
      `http://127.0.0.1:${images.port}/images/${TRANSFER}/${wrong}/web-disk-0.img`,
      `http://127.0.0.1:${images.port}/images/${TRANSFER}/web-disk-0.img`,
      `http://127.0.0.1:${images.port}/`,
      `http://127.0.0.1:${port}/${wrong}/web-disk-0.img`,
      `http://127.0.0.1:${port}/`,
    ])
      expect((await fetch(each)).status, each).toBe(404);
    expect(worker.output).not.toContain(IMAGE_TOKEN);
    expect(worker.output).not.toContain(account.password);
  });

  test('until a worker serves it, a downloader is told to come again', async () => {
    const answer = await fetch(url(), { method: 'HEAD', redirect: 'manual' });
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5']);
    const worker = await startServing();
    const found = await fetch(url(), { method: 'HEAD', redirect: 'manual' });
    expect([found.status, found.headers.get('location')]).toEqual([
      307,
      `http://127.0.0.1:${port}/${IMAGE_TOKEN}/web-disk-0.img`,
    ]);
    expect((await fetch(url(), { method: 'POST' })).status).toBe(405);
    worker.process.kill();
    await worker.ended;
  });

  test('where nothing is to be verified the download is the end', async () => {
    assignImage({ verify: 'none' });
    const worker = await startServing();
    const before = server.bytesSent;
    world.desk.taken = true;
    expect(await worker.ended, worker.output).toEqual({ code: 0, signal: null });
    expect(world.desk.outcomes).toMatchObject([{ result: { storedDigests: [] } }]);
    expect(world.desk.outcomes[0]).not.toHaveProperty('result.digest');
    expect(server.bytesSent - before).toBeLessThan(MIB);
  });
});
