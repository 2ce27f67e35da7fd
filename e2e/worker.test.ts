// The worker as its own process against a real endpoint: what it writes, what it survives, and what it never learns.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { HttpFileServer } from '../src/testing/http-file-server.ts';
import { buildOva } from '../src/testing/ova-builder.ts';
import { buildLargeDisk } from './large-disk.ts';
import { temporaryFolder } from './support.ts';
import { WorkerWorld, type WorkerWorldOptions } from './worker-harness.ts';

const MIB = 1024 * 1024;
const account = { user: 'anna', password: 'password-of-the-account' };

let ova: Uint8Array;
let content: Buffer;
beforeAll(async () => {
  const built = await buildLargeDisk({ virtualSizeBytes: 96 * MIB + 1536, dataBytes: 64 * MIB, seed: 5 });
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
  writeFileSync(device, Buffer.alloc(content.length + 4096, 0xff));
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const start = (options: Partial<WorkerWorldOptions> = {}) =>
  WorkerWorld.start({
    folder: folder.path,
    volumePath: device,
    sourceUrl: server.url('/exports/web.ova'),
    account,
    ...options,
  });

describe('a worker', () => {
  test('copies through the endpoint, byte for byte, and says so', async () => {
    await using world = await start();
    const worker = world.startWorker();
    const end = await worker.ended;
    console.log(worker.output, world.log.join('\n'));
    expect(end).toEqual({ code: 0, signal: null });
    const written = readFileSync(device);
    expect(written.subarray(0, content.length).equals(content)).toBe(true);
    console.log(world.desk.outcomes, world.desk.progress.length);
  });
});
