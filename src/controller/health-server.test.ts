import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HealthServer } from './health-server.ts';

let reason: string | undefined;
let failure: Error | undefined;
let server: HealthServer;
const options = {
  host: '127.0.0.1',
  port: 0,
  whyNotReady: () => reason,
  readMetrics: async () => {
    if (failure !== undefined) throw failure;
    return { contentType: 'text/plain; version=0.0.4', text: 'figure 1\n' };
  },
};
beforeEach(async () => {
  reason = undefined;
  failure = undefined;
  server = await HealthServer.start(options);
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
});
const ask = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${server.port}${path}`, init);

describe('what kubelet and Prometheus ask', () => {
  test('it is alive, ready or not', async () => {
    reason = 'another process leads';
    expect((await ask('/healthz')).status).toBe(200);
  });

  test('it is ready, or says why it is not', async () => {
    expect((await ask('/readyz?verbose')).status).toBe(200);
    reason = 'another process leads';
    const answer = await ask('/readyz');
    expect(answer.status).toBe(503);
    expect(await answer.text()).toBe('another process leads\n');
  });

  test('figures come with their own type', async () => {
    const answer = await ask('/metrics');
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4');
    expect(await answer.text()).toBe('figure 1\n');
    failure = new Error('no figures');
    expect((await ask('/metrics')).status).toBe(500);
  });

  test('nothing else is there, and nothing can be sent', async () => {
    expect((await ask('/')).status).toBe(404);
    expect((await ask('/healthz', { method: 'POST', body: 'x' })).status).toBe(405);
  });
});

test('a port that somebody has is named', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as { port: number };
  await expect(HealthServer.start({ ...options, port })).rejects.toMatchObject({
    code: 'HealthPortUnusable',
    message: expect.stringContaining(String(port)),
  });
  await new Promise((resolve) => other.close(resolve));
});
