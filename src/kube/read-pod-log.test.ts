import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { collect } from '../testing/collect.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { type ScriptedAnswer, ScriptedApi } from '../testing/scripted-api.ts';
import { fixedIdentity } from './api-access.ts';
import { ApiConnection } from './api-connection.ts';
import { readPodLog } from './read-pod-log.ts';

const POD = { namespace: 'vms', name: 'worker' };

async function serve(answer: ScriptedAnswer) {
  const api = await ScriptedApi.start(() => answer);
  const connection = new ApiConnection(
    {
      origin: 'the test',
      server: api.url,
      readCa: async () => undefined,
      isUnverified: false,
      namespace: 'default',
      identity: fixedIdentity({ headers: {} }),
      remarks: [],
    },
    { clock: new FakeClock() },
  );
  return {
    api,
    connection,
    async [Symbol.asyncDispose]() {
      await connection[Symbol.asyncDispose]();
      await api[Symbol.asyncDispose]();
    },
  };
}

const linesOf = async (body: string) => {
  await using served = await serve({ body });
  return await collect(readPodLog(served.connection, POD));
};

describe('readPodLog', () => {
  test('asks for the log of one Pod, and of one container where told', async () => {
    await using served = await serve({ body: 'a\n' });
    await collect(readPodLog(served.connection, POD));
    await collect(readPodLog(served.connection, POD, { container: 'worker' }));
    expect(served.api.requests.map(({ path, query }) => [path, query])).toEqual([
      ['/api/v1/namespaces/vms/pods/worker/log', {}],
      ['/api/v1/namespaces/vms/pods/worker/log', { container: 'worker' }],
    ]);
  });

  test.each([
    ['', []],
    ['one\n', ['one']],
    ['one\ntwo', ['one', 'two']],
    ['one\n\nthree\n', ['one', '', 'three']],
    ['windows\r\nline\r\n', ['windows', 'line']],
    ['häuser\n', ['häuser']],
  ])('splits %j into its lines', async (text, lines) => {
    expect(await linesOf(text)).toEqual(lines);
  });

  test('a line without an end comes in pieces, none of which is lost', async () => {
    const lines = await linesOf(`${'x'.repeat(200_000)}\nnext`);
    expect(lines.slice(0, -1).join('')).toBe('x'.repeat(200_000));
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(64 * 1024);
    expect(lines.at(-1)).toBe('next');
  });

  test('following gives each line as it comes, and leaving it closes the connection', async () => {
    await using served = await serve({ lines: ['first\n'] });
    for await (const line of readPodLog(served.connection, POD, { follow: true })) {
      expect(line).toBe('first');
      break;
    }
    expect(served.api.requests[0]?.query).toEqual({ follow: 'true' });
    for (let tries = 0; served.api.openConnections > 0 && tries < 100; tries += 1) await delay(10);
    expect(served.api.openConnections).toBe(0);
  });

  test.each([
    [404, 'ClusterObjectMissing'],
    [403, 'ClusterForbidden'],
    [400, 'ClusterObjectInvalid'],
  ])('an answer %i is named', async (status, code) => {
    const body = {
      kind: 'Status',
      reason: code === 'ClusterObjectMissing' ? 'NotFound' : '',
      code: status,
      details: { name: 'worker', kind: 'pods' },
    };
    await using served = await serve({ status, body });
    await expect(collect(readPodLog(served.connection, POD))).rejects.toMatchObject({ code });
  });

  test('who may not read logs is told of which right it is', async () => {
    await using served = await serve({ status: 403, body: { kind: 'Status', reason: 'Forbidden', code: 403 } });
    await expect(collect(readPodLog(served.connection, POD))).rejects.toThrow('--subresource=log');
  });

  test('a connection that ends midway is a problem, not the end of the log', async () => {
    await using served = await serve({ lines: ['first\n'] });
    const lines: string[] = [];
    const reading = (async () => {
      for await (const line of readPodLog(served.connection, POD, { follow: true })) {
        lines.push(line);
        await served.connection[Symbol.asyncDispose]();
      }
    })();
    await expect(reading).rejects.toThrow();
    expect(lines).toEqual(['first']);
  });
});
