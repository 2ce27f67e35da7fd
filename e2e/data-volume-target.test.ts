// A disk is sent to CDI: a real worker asks for a ticket, uploads to a proxy after CDI's, and a second worker proves what was written.
import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { UploadAssignment } from '../src/api/transfer-protocol.ts';
import { createCertificate, type EndpointCertificate } from '../src/controller/endpoint/create-certificate.ts';
import { FakeUploadProxy } from '../src/testing/fake-upload-proxy.ts';
import { HttpFileServer } from '../src/testing/http-file-server.ts';
import { buildOva } from '../src/testing/ova-builder.ts';
import { buildLargeDisk } from './large-disk.ts';
import { temporaryFolder } from './support.ts';
import { type RunningWorker, until, WorkerWorld } from './worker-harness.ts';

const MIB = 1024 * 1024;
const account = { user: 'anna', password: 'password-of-the-account' };
const TICKET = 'eyJhbGciOiJQUzUxMiJ9.for-one-volume.signature';

let ova: Uint8Array;
let content: Buffer;
let certificate: EndpointCertificate;
beforeAll(async () => {
  const built = await buildLargeDisk({ virtualSizeBytes: 96 * MIB + 1536, dataBytes: 48 * MIB, seed: 4 });
  content = built.content;
  ova = buildOva({
    machines: [{ id: 'web', disks: [{ fileName: 'disk1.vmdk', capacityBytes: content.length }] }],
    contents: { 'disk1.vmdk': built.vmdk },
    manifest: 'sha256',
  });
  certificate = await createCertificate({ names: ['127.0.0.1'], now: Date.now() });
});

let folder: ReturnType<typeof temporaryFolder>;
let server: HttpFileServer;
let world: WorkerWorld;
let proxy: FakeUploadProxy;
let disk: string;
/** How often a ticket was asked for before there was one. */
let asked: number;
/** Of the last worker, when it had sent everything. */
let peakBytes: number;
beforeEach(async () => {
  folder = temporaryFolder();
  server = await HttpFileServer.start({ files: { '/exports/web.ova': ova }, credentials: account });
  mkdirSync(join(folder.path, 'volume'));
  disk = join(folder.path, 'volume', 'disk.img');
  world = await WorkerWorld.start({
    folder: folder.path,
    volumePath: join(folder.path, 'volume'),
    sourceUrl: server.url('/exports/web.ova'),
    account,
  });
  proxy = await FakeUploadProxy.start({ certificate, path: disk });
  proxy.tokens.add(TICKET);
  asked = 0;
  peakBytes = 0;
  world.desk.makeTicket = () => {
    asked += 1;
    return asked < 2 ? undefined : { url: proxy.url, token: TICKET, ca: certificate.caPem };
  };
  assignUpload();
});
afterEach(async () => {
  await proxy[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

function assignUpload(more: Partial<UploadAssignment> = {}): void {
  world.desk.assignment = {
    source: { relay: { path: 'web.ova', location: server.url('/exports/web.ova') } },
    disk: { id: '100', index: 0 },
    verify: 'readback',
    upload: { name: 'team/web-disk-0' },
    ...more,
  };
}

/** Runs a worker, and CDI's controller beside it, which says that the volume is complete once the server was told so. */
async function upload(): Promise<RunningWorker> {
  const worker = world.startWorker();
  await until('the upload', () => proxy.isDone || !worker.isRunning);
  if (worker.isRunning) peakBytes = worker.peakBytes;
  world.desk.taken = proxy.isDone;
  await worker.ended;
  return worker;
}

async function prove(): Promise<RunningWorker> {
  const sent = world.desk.outcomes.find((outcome) => 'served' in outcome);
  if (sent === undefined || !('served' in sent) || sent.served.digest === undefined) throw new Error('not sent');
  world.desk.epoch += 1;
  world.desk.assignment = {
    disk: { id: '100', index: 0 },
    volume: { uid: 'claim-uid', name: 'team/web-disk-0' },
    proof: { virtualSizeBytes: content.length, digest: sent.served.digest },
  };
  const worker = world.startWorker();
  await worker.ended;
  return worker;
}

describe('a disk that is sent to CDI', () => {
  test('arrives once CDI is ready for it, and is proven on its volume', async () => {
    const worker = await upload();
    expect(await worker.ended, worker.output).toEqual({ code: 0, signal: null });
    expect(asked).toBe(2);
    expect(readFileSync(disk).equals(content)).toBe(true);
    expect(world.desk.outcomes).toMatchObject([
      {
        served: {
          virtualSizeBytes: content.length,
          writtenBytes: content.length,
          digest: { root: expect.stringMatching(/^[0-9a-f]{64}$/) },
          storedDigests: [{ name: 'disk1.vmdk', algorithm: 'sha256', expected: expect.any(String) }],
        },
      },
    ]);
    expect(peakBytes).toBeGreaterThan(MIB);
    expect(peakBytes).toBeLessThan(256 * MIB);
    expect(worker.output).not.toContain(TICKET);
    expect(worker.output).not.toContain(account.password);
    const proof = await prove();
    expect(await proof.ended, proof.output).toEqual({ code: 0, signal: null });
    expect(world.desk.outcomes.at(-1)).toMatchObject({ epoch: 2, result: { virtualSizeBytes: content.length } });
  });

  test('one bit that CDI wrote wrong is found', async () => {
    await upload();
    const volume = openSync(disk, 'r+');
    writeSync(volume, Buffer.from([(content[70 * MIB] ?? 0) ^ 1]), 0, 1, 70 * MIB);
    closeSync(volume);
    const proof = await prove();
    expect(await proof.ended, proof.output).toMatchObject({ code: 40 });
    expect(world.desk.outcomes.at(-1)).toMatchObject({ problem: { code: 'VerificationFailed' } });
  });

  test('one that breaks off is sent by the next run from its first byte', async () => {
    proxy.breaksAfter = 30 * MIB;
    const first = await upload();
    expect((await first.ended).code).toBe(1);
    expect(world.desk.outcomes).toMatchObject([{ problem: { code: 'UploadFailed' } }]);
    world.desk.epoch = 2;
    const second = await upload();
    expect(await second.ended, second.output).toEqual({ code: 0, signal: null });
    expect(readFileSync(disk).equals(content)).toBe(true);
  });

  test('a worker that is killed midway leaves nothing that the next one could not do anew', async () => {
    server.faults = { bytesPerSecond: 3 * MIB };
    const first = world.startWorker();
    await until('half of it', () => proxy.takenBytes > 20 * MIB);
    first.process.kill('SIGKILL');
    await first.ended;
    server.faults = {};
    world.desk.epoch = 2;
    const second = await upload();
    expect(await second.ended, second.output).toEqual({ code: 0, signal: null });
    expect(readFileSync(disk).equals(content)).toBe(true);
  });

  test('one that was sent by a run that could not say so is only read again', async () => {
    await upload();
    const [told] = world.desk.outcomes;
    world.desk.outcomes.length = 0;
    world.desk.epoch = 2;
    const { length } = proxy.answers;
    const second = world.startWorker();
    expect(await second.ended, second.output).toEqual({ code: 0, signal: null });
    expect(proxy.answers).toHaveLength(length);
    const digest = told !== undefined && 'served' in told ? told.served.digest : undefined;
    expect(world.desk.outcomes).toMatchObject([{ epoch: 2, served: { digest, writtenBytes: 0 } }]);
  });

  test('but not when its source is another one by then', async () => {
    await upload();
    world.desk.outcomes.length = 0;
    server.etag = '"another"';
    world.desk.epoch = 2;
    const second = world.startWorker();
    expect(await second.ended, second.output).toMatchObject({ code: 40 });
    expect(world.desk.outcomes).toMatchObject([{ problem: { code: 'SourceChanged' } }]);
  });

  test("CDI's refusal is told in its own words", async () => {
    proxy.refusal = 'effective image size is larger than the reported available storage';
    const worker = await upload();
    expect((await worker.ended).code).toBe(1);
    expect(world.desk.outcomes).toMatchObject([
      { problem: { code: 'UploadRefused', detail: expect.stringContaining(proxy.refusal) } },
    ]);
  });

  test('a manifest that does not agree is found, however the upload went', async () => {
    const wrong = Buffer.from(ova);
    const at = wrong.indexOf('SHA256(disk1.vmdk)= ') + 'SHA256(disk1.vmdk)= '.length;
    wrong[at] = wrong[at] === 0x30 ? 0x31 : 0x30;
    server.files.set('/exports/web.ova', wrong);
    const worker = await upload();
    expect(await worker.ended, worker.output).toMatchObject({ code: 40 });
    expect(world.desk.outcomes).toMatchObject([{ problem: { code: 'DigestMismatch' } }]);
  });

  test('where nothing is to be verified the upload is the end', async () => {
    assignUpload({ verify: 'none' });
    const worker = await upload();
    expect(await worker.ended, worker.output).toEqual({ code: 0, signal: null });
    expect(world.desk.outcomes).toMatchObject([{ result: { storedDigests: [] } }]);
    expect(world.desk.outcomes[0]).not.toHaveProperty('result.digest');
  });
});
