import { afterEach, describe, expect, test } from 'vitest';
import { ProblemError } from '../../domain/problems.ts';
import { type FindImage, ImageEndpoint } from './image-endpoint.ts';

const TRANSFER = 'b6a7c6a2-0000-4000-8000-000000000001.0';
const TOKEN = 'nobody-can-guess-it';

let endpoint: ImageEndpoint | undefined;
let logged: string[] = [];
afterEach(async () => {
  await endpoint?.[Symbol.asyncDispose]();
  logged = [];
});

async function start(findImage: FindImage): Promise<(path: string, init?: RequestInit) => Promise<Response>> {
  const log = (message: string, fields?: object) => void logged.push(`${message} ${JSON.stringify(fields)}`);
  endpoint = await ImageEndpoint.start({
    findImage,
    log: { info: log, warn: log, error: log },
    host: '127.0.0.1',
    port: 0,
  });
  const base = `http://127.0.0.1:${endpoint.port}`;
  return (path, init) => fetch(`${base}${path}`, { redirect: 'manual', ...init });
}

const known: FindImage = async ({ transferId, token, fileName }) =>
  transferId === TRANSFER && token === TOKEN ? { url: `http://198.18.0.7:8444/${token}/${fileName}` } : undefined;

describe('the address of images', () => {
  test.each(['GET', 'HEAD'])(
    'sends %s on to the worker that serves it, and lets nobody remember that',
    async (method) => {
      const ask = await start(known);
      const answer = await ask(`/images/${TRANSFER}/${TOKEN}/web-disk-0.img`, { method });
      expect(answer.status).toBe(307);
      expect(answer.headers.get('location')).toBe(`http://198.18.0.7:8444/${TOKEN}/web-disk-0.img`);
      expect(answer.headers.get('cache-control')).toBe('no-store');
    },
  );

  test.each([
    '/',
    '/web.img',
    `/images/${TRANSFER}`,
    `/images/${TRANSFER}/${TOKEN}/`,
    `/images/${TRANSFER}/${TOKEN}/a/b`,
    `/images/${TRANSFER}/${TOKEN}x/web-disk-0.img`,
    `/images/other.0/${TOKEN}/web-disk-0.img`,
    `/images/${TRANSFER}/${'x'.repeat(300)}/web-disk-0.img`,
  ])('knows nothing at "%s"', async (path) => {
    const ask = await start(known);
    expect((await ask(path)).status).toBe(404);
  });

  test('takes nothing but GET and HEAD', async () => {
    const ask = await start(known);
    const answer = await ask(`/images/${TRANSFER}/${TOKEN}/web-disk-0.img`, { method: 'PUT', body: 'x' });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  test('a downloader that comes too early is told to come again', async () => {
    const ask = await start(async () => 'later');
    const answer = await ask(`/images/${TRANSFER}/${TOKEN}/web-disk-0.img`);
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5']);
  });

  test('a failure to look is logged without the token', async () => {
    const ask = await start(async () => {
      throw new ProblemError('ClusterUnreachable', 'no answer from the API');
    });
    expect((await ask(`/images/${TRANSFER}/${TOKEN}/web-disk-0.img`)).status).toBe(503);
    expect(logged.join('\n')).toContain('no answer from the API');
    expect(logged.join('\n')).not.toContain(TOKEN);
  });
});
