// A file server for the bench, as a process of its own: `node bench/capped-server.ts <file> <bytes per second and connection> <delay ms>`. Prints its port, then the bytes sent so far
// for each line on stdin; ends with its stdin.
import { open } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

const [path = '', bytesPerSecond = 'Infinity', delayMs = '0'] = process.argv.slice(2);
const rate = Number(bytesPerSecond);
const PIECE_BYTES = 256 * 1024;
/** What a connection may catch up after waking late; without it the timers' delays would make each one slower than asked, and one alone more so than many. */
const CATCH_UP_MS = 20;
const file = await open(path, 'r');
const { size } = await file.stat();
let sentBytes = 0;
/** When each connection may send its next byte. */
const free = new WeakMap<object, number>();

const server = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  void answer(request, response).catch((cause) => response.destroy(cause));
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
createInterface(process.stdin)
  .on('line', () => console.log(sentBytes))
  .on('close', () => process.exit());

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
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  const socket = request.socket;
  for (let at = from; at < end && !response.destroyed; ) {
    const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, end - at));
    const { bytesRead } = await file.read(piece, 0, piece.length, at);
    const now = performance.now();
    const start = Math.max(now - CATCH_UP_MS, free.get(socket) ?? now);
    free.set(socket, start + (bytesRead / rate) * 1000);
    if (start > now) await delay(start - now);
    if (response.destroyed) return;
    const isTaken = response.write(piece.subarray(0, bytesRead));
    sentBytes += bytesRead;
    at += bytesRead;
    if (!isTaken) await drained(response);
  }
  response.end();
}

/** Until more can be written, or the client is gone. */
async function drained(response: http.ServerResponse): Promise<void> {
  await new Promise<void>((resolve) => {
    const finish = () => {
      response.off('drain', finish).off('close', finish);
      resolve();
    };
    response.on('drain', finish).on('close', finish);
  });
}
