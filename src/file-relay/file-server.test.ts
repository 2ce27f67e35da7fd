import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeSelfSignedCertificate } from '../testing/self-signed-certificate.ts';
import { FileServer } from './file-server.ts';

const TOKEN = '0123456789abcdef';
const certificate = makeSelfSignedCertificate();
let folder: string;
let files: FileServer;
let door: Server;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'airlift-upload-'));
  writeFileSync(join(folder, 'web 01.ova'), 'abcdefghij');
  writeFileSync(join(folder, 'private.key'), 'hidden');
  files = new FileServer({ folder, isShared: (name) => name.endsWith('.ova'), token: TOKEN, ...certificate });
  door = createServer((socket) => files.serve(socket)).listen(0, '127.0.0.1');
  await once(door, 'listening');
});
afterEach(async () => {
  await files[Symbol.asyncDispose]();
  door.close();
  rmSync(folder, { recursive: true });
});

async function ask(path: string, headers: Record<string, string> = {}, method = 'GET') {
  const { port } = door.address() as AddressInfo;
  const asked = request({
    host: '127.0.0.1',
    port,
    path,
    method,
    headers,
    ca: certificate.certificatePem,
    agent: false,
  });
  asked.end();
  const [answer] = await once(asked, 'response');
  let body = '';
  for await (const piece of answer.setEncoding('latin1')) body += piece;
  return { status: answer.statusCode as number, headers: answer.headers as Record<string, string>, body };
}
const OVA = `/${TOKEN}/web%2001.ova`;

describe('FileServer', () => {
  test('gives a file, its length, and what tells it from another one', async () => {
    expect(files.pathOf('web 01.ova')).toBe(OVA);
    const { status, headers, body } = await ask(OVA);
    expect([status, body]).toEqual([200, 'abcdefghij']);
    expect(headers).toMatchObject({ 'content-length': '10', 'accept-ranges': 'bytes' });
    expect(headers.etag).toMatch(/^"[0-9a-f-]+"$/);
    expect(headers['last-modified']).toContain('GMT');
  });

  test.each([
    ['bytes=2-4', 206, 'cde', 'bytes 2-4/10'],
    ['bytes=8-', 206, 'ij', 'bytes 8-9/10'],
    ['bytes=10-', 416, '', 'bytes */10'],
  ])('answers the range %s', async (range, status, body, contentRange) => {
    const answer = await ask(OVA, { range });
    expect([answer.status, answer.body, answer.headers['content-range']]).toEqual([status, body, contentRange]);
  });

  test('a file that changed has another ETag, and a range of the old one is answered with the whole', async () => {
    const { etag = '' } = (await ask(OVA)).headers;
    expect((await ask(OVA, { range: 'bytes=2-4', 'if-range': etag })).status).toBe(206);
    writeFileSync(join(folder, 'web 01.ova'), 'ABCDEFGHIJ');
    const after = await ask(OVA, { range: 'bytes=2-4', 'if-range': etag });
    expect([after.status, after.body]).toEqual([200, 'ABCDEFGHIJ']);
    expect(after.headers.etag).not.toBe(etag);
  });

  test.each([
    ['another token', '/0123456789abcdeF/web%2001.ova'],
    ['a token that is cut', '/0123456789abcde'],
    ['no token', '/web%2001.ova'],
    ['a file that is not shared', `/${TOKEN}/private.key`],
    ['a file that is not there', `/${TOKEN}/web02.ova`],
    ['the folder itself', `/${TOKEN}/`],
    ['a way out', `/${TOKEN}/..%2Fweb%2001.ova`],
    ['a way out of another kind', `/${TOKEN}/..%5Cweb.ova`],
    ['no text at all', `/${TOKEN}/%ff%fe.ova`],
  ])('%s is not found', async (_, path) => {
    const { status, body } = await ask(path);
    expect([status, body]).toEqual([404, '']);
  });

  test('nothing can be written', async () => {
    expect((await ask(OVA, {}, 'PUT')).status).toBe(405);
    expect((await ask(OVA, {}, 'HEAD')).body).toBe('');
  });

  test('tells how much was sent', async () => {
    let sent = 0;
    await using told = new FileServer({
      folder,
      isShared: () => true,
      token: TOKEN,
      ...certificate,
      onSent: (bytes) => (sent += bytes),
    });
    door.removeAllListeners('connection').on('connection', (socket) => told.serve(socket));
    await ask(OVA, { range: 'bytes=1-4' });
    expect(sent).toBe(4);
  });

  test('who speaks no TLS, or leaves in the middle, brings nothing down', async () => {
    const { port } = door.address() as AddressInfo;
    const plain = connect(port, '127.0.0.1');
    plain.on('error', () => {});
    plain.write('GET / HTTP/1.1\r\n\r\n');
    await once(plain.resume(), 'close');
    const leaving = connect(port, '127.0.0.1');
    await once(leaving, 'connect');
    leaving.destroy();
    expect((await ask(OVA)).status).toBe(200);
  });

  test('disposing it ends connections that are open', async () => {
    const { port } = door.address() as AddressInfo;
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    await new Promise((resolve) => setTimeout(resolve, 20));
    await files[Symbol.asyncDispose]();
    if (!socket.closed) await once(socket.resume(), 'close');
  });
});
