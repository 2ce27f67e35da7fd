// A file server for the bench, as a process of its own: `node bench/capped-server.ts <file> <bytes per second and connection> <delay ms>`. Prints its port, then the bytes sent so far for each
// line on stdin.
import { open, stat } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

const [path = '', bytesPerSecond = 'Infinity', delayMs = '0'] = process.argv.slice(2);
const rate = Number(bytesPerSecond);
const PIECE_BYTES = 256 * 1024;
const file = await open(path, 'r');
const { size } = await stat(path);
let sentBytes = 0;
/** When each connection may send its next byte. */
const free = new WeakMap<object, number>();

const server = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  void answer(request, response).catch(() => response.destroy());
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
createInterface(process.stdin).on('line', () => console.log(sentBytes));

async function answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  await delay(Number(delayMs));
  const match = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const from = Number(match?.[1] ?? 0);
  const end = match?.[2] ? Math.min(Number(match[2]) + 1, size) : size;
  response.writeHead(match ? 206 : 200, {
    etag: '"bench"',
    'content-length': end - from,
    ...(match ? { 'content-range': `bytes ${from}-${end - 1}/${size}` } : {}),
  });
  const buffer = Buffer.allocUnsafe(PIECE_BYTES);
  const socket = request.socket;
  for (let at = from; at < end && !response.destroyed; ) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(PIECE_BYTES, end - at), at);
    const now = performance.now();
    const start = Math.max(now, free.get(socket) ?? now);
    free.set(socket, start + (bytesRead / rate) * 1000);
    if (start > now) await delay(start - now);
    sentBytes += bytesRead;
    const isFlushed = response.write(Buffer.from(buffer.subarray(0, bytesRead)));
    if (!isFlushed) await new Promise((resolve) => response.once('drain', resolve).once('close', resolve));
    at += bytesRead;
  }
  response.end();
}
