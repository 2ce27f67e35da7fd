import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { ProblemError } from '../domain/problems.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { ForwardingApi, type ForwardingApiOptions } from '../testing/forwarding-api.ts';
import { fixedIdentity } from './api-access.ts';
import { ApiConnection } from './api-connection.ts';
import { forwardPort } from './port-forward.ts';

const POD = { namespace: 'vms', name: 'relay' };

async function start(options: ForwardingApiOptions = {}) {
  const api = await ForwardingApi.start(options);
  const connection = new ApiConnection(
    {
      origin: 'the test',
      server: new URL('gateway/', api.url),
      readCa: async () => undefined,
      isUnverified: false,
      namespace: 'default',
      identity: fixedIdentity({ headers: { authorization: 'Bearer t', 'impersonate-group': ['a', 'b'] } }),
      remarks: [],
    },
    { clock: new FakeClock(), userAgent: 'airlift-test' },
  );
  return {
    api,
    connection,
    open: (signal?: AbortSignal) => forwardPort(connection, POD, 8446, { signal }),
    async [Symbol.asyncDispose]() {
      await connection[Symbol.asyncDispose]();
      await api[Symbol.asyncDispose]();
    },
  };
}

async function read(port: Duplex, bytes: number): Promise<string> {
  while (port.readableLength < bytes) await once(port, 'readable');
  return (port.read(bytes) as Buffer).toString();
}

async function until(isSo: () => boolean): Promise<void> {
  for (let tries = 0; !isSo(); tries += 1) {
    if (tries > 500) throw new Error('not so after 5 s');
    await delay(10);
  }
}

describe('forwardPort', () => {
  test('asks for the port of the Pod, as this user', async () => {
    await using world = await start();
    await world.open();
    const [request] = world.api.requests;
    expect(request?.url).toBe('/gateway/api/v1/namespaces/vms/pods/relay/portforward?ports=8446');
    expect(request?.headers).toMatchObject({
      authorization: 'Bearer t',
      'impersonate-group': 'a, b',
      'user-agent': 'airlift-test',
      'sec-websocket-protocol': 'v4.channel.k8s.io',
    });
  });

  test.each([
    ['in frames of their own', (send: (bytes: number[]) => void) => [[0xfe], [0x20], [104, 105]].map(send)],
    ['with the first data', (send: (bytes: number[]) => void) => [[0xfe, 0x20, 104, 105]].map(send)],
  ])('the two bytes of the port at the beginning are no data: %s', async (_, tell) => {
    await using world = await start();
    const port = await world.open();
    tell((bytes) => world.api.forwarded.send(0, Buffer.from(bytes)));
    expect(await read(port, 2)).toBe('hi');
  });

  test('passes bytes both ways, unchanged and in order', async () => {
    await using world = await start();
    const port = await world.open();
    world.api.forwarded.begin();
    world.api.forwarded.send(0, 'from the Pod');
    expect(await read(port, 12)).toBe('from the Pod');
    const bytes = randomBytes(3_000_000);
    for (let at = 0; at < bytes.length; at += 65_000) port.write(bytes.subarray(at, at + 65_000));
    await until(() => world.api.forwarded.data.length === bytes.length);
    expect(world.api.forwarded.data.equals(bytes)).toBe(true);
  });

  test('who writes faster than it is taken has to wait', async () => {
    await using world = await start();
    const port = await world.open();
    world.api.forwarded.pause();
    let written = 0;
    const piece = Buffer.alloc(1024 * 1024);
    const writing = (async () => {
      for (; written < 24; written += 1) await new Promise<void>((done) => void port.write(piece, () => done()));
    })();
    await delay(200);
    // What the kernel takes, and a megabyte.
    expect(written).toBeLessThan(16);
    world.api.forwarded.resume();
    await writing;
  });

  test('the end of the other side is the end, after what was on its way', async () => {
    await using world = await start();
    const port = await world.open();
    world.api.forwarded.begin();
    world.api.forwarded.send(0, 'last words');
    world.api.forwarded.close();
    await delay(50);
    expect(await read(port, 10)).toBe('last words');
    await once(port.resume(), 'close');
    const failure = new Promise<Error>((resolve) => port.write('x', (error) => resolve(error as Error)));
    port.on('error', () => {});
    expect(await failure).toBeInstanceOf(Error);
  });

  test('what the node complains of is told', async () => {
    await using world = await start();
    const port = await world.open();
    const failed = once(port, 'error');
    world.api.forwarded.begin();
    world.api.forwarded.send(1, 'error forwarding port 8446: connection refused');
    world.api.forwarded.close();
    const [error] = await failed;
    expect(error).toMatchObject({ code: 'ClusterUnreachable', message: expect.stringContaining('connection refused') });
  });

  test('ending it here ends it there', async () => {
    await using world = await start();
    const port = await world.open();
    port.destroy();
    await until(() => world.api.forwarded.isClosed);
  });

  test.each(['create', 'get'])('who may not %s it is told which right it takes', async (verb) => {
    await using world = await start({ status: 403, denied: [verb] });
    await expect(world.open()).rejects.toMatchObject({
      code: 'ClusterForbidden',
      message: `this user may not ${verb} pods/portforward in namespace vms; check with: kubectl auth can-i ${verb} pods --subresource=portforward --namespace vms`,
    });
  });

  test('another refusal names the Pod, and may pass', async () => {
    await using world = await start({ status: 500 });
    await expect(world.open()).rejects.toMatchObject({
      code: 'ClusterUnreachable',
      message: expect.stringContaining('port-forward to Pod vms/relay'),
    });
  });

  test('who stops waiting for it gets the reason', async () => {
    await using world = await start();
    const reason = new ProblemError('Interrupted', 'stopped by Ctrl-C');
    await expect(world.open(AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
