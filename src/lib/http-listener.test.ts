import { createServer, get, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { drained, endWith, HttpListener } from './http-listener.ts';

/** More than the buffers of two sockets hold. */
const PIECE = Buffer.alloc(32 * 1024 * 1024);
const listeners: HttpListener[] = [];

describe('a listener', () => {
  afterEach(async () => {
    for (const each of listeners.splice(0)) await each[Symbol.asyncDispose]();
  });

  test('answers, and counts what it is answering', async () => {
    const counts: number[] = [];
    const listener = await listen(async (response) => {
      await Promise.resolve();
      counts.push(listener.answering);
      endWith(response, 204);
    });
    expect(await fetch(`http://127.0.0.1:${listener.port}/`)).toMatchObject({ status: 204 });
    expect(counts).toEqual([1]);
    expect(listener.answering).toBe(0);
  });

  test('closes connections that do nothing at once, and waits for the answers under way', async () => {
    let hasEnded = false;
    const asked = Promise.withResolvers<void>();
    const listener = await listen(async (response) => {
      asked.resolve();
      await new Promise((resolve) => response.on('close', resolve));
      await new Promise((resolve) => setTimeout(resolve, 20));
      hasEnded = true;
    });
    const idle = connect(listener.port, '127.0.0.1').on('error', () => {});
    const idleClosed = new Promise((resolve) => idle.on('close', resolve));
    get({ port: listener.port, host: '127.0.0.1' }).on('error', () => {});
    await asked.promise;
    await listener[Symbol.asyncDispose]();
    listeners.splice(0);
    expect(hasEnded).toBe(true);
    await idleClosed;
  });

  test('tells that its port is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.on('listening', resolve));
    const { port } = taken.address() as AddressInfo;
    const second = new HttpListener(createServer(), async () => {});
    await expect(second.listen({ port, host: '127.0.0.1' })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    taken.close();
  });

  test('whoever takes nothing holds up the writer, until they take it or leave', async () => {
    const events: string[] = [];
    const listener = await listen(async (response) => {
      while (response.write(PIECE));
      events.push('full');
      await drained(response);
      events.push(response.destroyed ? 'gone' : 'drained');
      await drained(response);
      response.end();
    });
    const slow = connect(listener.port, '127.0.0.1');
    slow.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    await until(() => events.includes('full'));
    slow.destroy();
    await until(() => events.length === 2);
    expect(events).toEqual(['full', 'gone']);
    const answer = await fetch(`http://127.0.0.1:${listener.port}/`);
    expect((await answer.arrayBuffer()).byteLength).toBeGreaterThanOrEqual(PIECE.length);
    expect(events.slice(2)).toEqual(['full', 'drained']);
  });
});

async function listen(answer: (response: ServerResponse) => Promise<void>): Promise<HttpListener> {
  const listener = new HttpListener(createServer(), (_, response) => answer(response));
  listeners.push(listener);
  await listener.listen({ port: 0, host: '127.0.0.1' });
  return listener;
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5));
}
