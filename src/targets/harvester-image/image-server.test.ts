import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { downloadAsCdi, downloadAsLonghorn } from '../../testing/fake-image-downloader.ts';
import { ImageServer, type ImageServerOptions } from './image-server.ts';
import type { ServedFile } from './served-file.ts';

const MIB = 2 ** 20;
const TOKEN = 'Zm9yIG9uZSBpbXBvcnQgb25seQ';
const content = Buffer.alloc(3 * MIB);
for (let at = 0; at < content.length; at += 4) content.writeUInt32LE((at * 2_654_435_761) % 2 ** 32, at);

let servers: ImageServer[] = [];
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'airlift-image-server-'));
});
afterEach(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]();
  servers = [];
  rmSync(folder, { recursive: true, force: true });
});

function served(more: Partial<ServedFile> = {}): ServedFile {
  return {
    format: 'raw',
    sizeBytes: content.length,
    dataStart: 0,
    etag: '"one"',
    hasRanges: true,
    fetchedBytes: 0,
    async *read(from, to) {
      for (let at = from; at < to; at += 70_000) yield content.subarray(at, Math.min(to, at + 70_000));
    },
    async readLeaves() {},
    ...more,
  };
}

async function start(file = served(), more: Partial<ImageServerOptions> = {}) {
  const server = await ImageServer.start({ file, token: TOKEN, port: 0, host: '127.0.0.1', ...more });
  servers.push(server);
  const base = `http://127.0.0.1:${server.port}`;
  return { server, base, url: `${base}/${TOKEN}/web-disk-0.img` };
}

describe('the server of an image', () => {
  test('is what Longhorn wants: a length, and then all of it', async () => {
    const { url } = await start();
    const path = join(folder, 'longhorn');
    expect(await downloadAsLonghorn(url, path)).toMatchObject({
      sizeBytes: content.length,
      requests: ['HEAD', 'HEAD', 'GET'],
    });
    expect(readFileSync(path).equals(content)).toBe(true);
  });

  test('is what CDI wants: ranges, several at once', async () => {
    const { url } = await start();
    const path = join(folder, 'cdi');
    await downloadAsCdi(url, path, { rangeBytes: 100_001 });
    expect(readFileSync(path).equals(content)).toBe(true);
  });

  test.each([
    ['/', 404],
    [`/${TOKEN}`, 404],
    [`/${TOKEN}/`, 404],
    [`/${TOKEN.slice(0, -1)}X/web-disk-0.img`, 404],
    [`/x/${TOKEN}/web-disk-0.img`, 404],
    [`/${TOKEN}/another-name.img?query`, 200],
  ])('"%s" is answered %i', async (path, status) => {
    const { base } = await start();
    const answer = await fetch(`${base}${path}`, { method: 'HEAD' });
    expect(answer.status).toBe(status);
  });

  test('takes nothing but GET and HEAD', async () => {
    const { url } = await start();
    const answer = await fetch(url, { method: 'POST', body: 'x' });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  test('a range is answered with that part, and one behind the end with the length', async () => {
    const { url } = await start();
    const part = await fetch(url, { headers: { range: 'bytes=10-19' } });
    expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes 10-19/${content.length}`]);
    expect(Buffer.from(await part.arrayBuffer()).equals(content.subarray(10, 20))).toBe(true);
    const behind = await fetch(url, { headers: { range: `bytes=${content.length}-` } });
    expect([behind.status, behind.headers.get('content-range')]).toEqual([416, `bytes */${content.length}`]);
  });

  test('a download goes on only with the same content', async () => {
    const { url } = await start();
    const statusOf = async (etag: string) =>
      (await fetch(url, { headers: { range: 'bytes=10-19', 'if-range': etag } })).status;
    expect([await statusOf('"one"'), await statusOf('"two"')]).toEqual([206, 200]);
  });

  test('what has no ranges says so, and gives all of it whatever is asked for', async () => {
    const { url } = await start(served({ hasRanges: false }));
    const answer = await fetch(url, { headers: { range: 'bytes=0-127' } });
    expect([answer.status, answer.headers.get('accept-ranges')]).toEqual([200, 'none']);
    await answer.body?.cancel();
  });

  test('tells how far a download has come', async () => {
    const positions: number[] = [];
    const { url } = await start(served(), { onPosition: (position) => positions.push(position) });
    await (await fetch(url, { headers: { range: 'bytes=1000000-1500000' } })).arrayBuffer();
    expect(positions[0]).toBe(1_070_000);
    expect(positions.at(-1)).toBe(1_500_001);
  });

  test('an answer that cannot be ended breaks off, and the reason is told here', async () => {
    const failures: unknown[] = [];
    const file = served({
      async *read() {
        yield content.subarray(0, 1000);
        throw new Error('the source broke');
      },
    });
    const { url } = await start(file, { onFailure: (error) => failures.push(error) });
    await expect(fetch(url).then((answer) => answer.arrayBuffer())).rejects.toThrow();
    expect(failures).toEqual([new Error('the source broke')]);
  });

  test('nothing is read ahead of a downloader that does not take it, nor after it has gone', async () => {
    let read = 0;
    let isEnded = false;
    const file = served({
      sizeBytes: 1000 * MIB,
      async *read(_from, _to, { signal } = {}) {
        try {
          for (;;) {
            signal?.throwIfAborted();
            read += 1;
            yield Buffer.alloc(MIB, 1);
          }
        } finally {
          isEnded = true;
        }
      },
    });
    const { server } = await start(file);
    const socket = connect(server.port, '127.0.0.1');
    socket.write(`GET /${TOKEN}/x HTTP/1.1\r\nhost: x\r\n\r\n`);
    socket.pause();
    await delay(300);
    const before = read;
    await delay(200);
    expect(read).toBe(before);
    expect(before).toBeLessThan(20);
    socket.destroy();
    for (let tries = 0; tries < 100 && !isEnded; tries += 1) await delay(10);
    expect(isEnded).toBe(true);
  });
});
