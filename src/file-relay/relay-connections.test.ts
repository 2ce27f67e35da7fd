import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { RelayConnections, type RelayOptions } from './relay-connections.ts';

async function start(options: Partial<RelayOptions> = {}) {
  const relay = await RelayConnections.start({ port: 0, tunnelPort: 0, ...options });
  const open = async (port: number, host = '127.0.0.1') => {
    const socket = connect({ port, host });
    await once(socket, 'connect');
    return socket;
  };
  return {
    relay,
    ask: () => open(relay.port),
    tunnel: () => open(relay.tunnelPort),
    [Symbol.asyncDispose]: () => relay[Symbol.asyncDispose](),
  };
}

async function read(socket: Socket): Promise<string> {
  const [piece] = (await once(socket, 'data')) as [Buffer];
  return piece.toString();
}

async function closed(socket: Socket): Promise<void> {
  socket.resume();
  if (!socket.closed) await once(socket, 'close');
}

describe('RelayConnections', () => {
  test('gives who asks a tunnel that waits, and passes bytes both ways', async () => {
    await using world = await start();
    const tunnel = await world.tunnel();
    await delay(20);
    const asking = await world.ask();
    asking.write('hello');
    expect(await read(tunnel)).toBe('hello');
    tunnel.write('world');
    expect(await read(asking)).toBe('world');
  });

  test('who asks before there is a tunnel is given the next one, in the order of asking', async () => {
    await using world = await start();
    const [first, second] = [await world.ask(), await world.ask()];
    first.write('first');
    second.write('second');
    await delay(20);
    expect(await read(await world.tunnel())).toBe('first');
    expect(await read(await world.tunnel())).toBe('second');
  });

  test('who waits in vain is sent away', async () => {
    await using world = await start({ waitMs: 50 });
    const asking = await world.ask();
    await closed(asking);
    // Nothing is left of it: the next tunnel waits for somebody who is there.
    const tunnel = await world.tunnel();
    await delay(20);
    const next = await world.ask();
    next.write('x');
    expect(await read(tunnel)).toBe('x');
  });

  test('who was served keeps the connection longer than it may wait', async () => {
    await using world = await start({ waitMs: 50 });
    const asking = await world.ask();
    const tunnel = await world.tunnel();
    await delay(120);
    tunnel.write('late');
    expect(await read(asking)).toBe('late');
  });

  test('when one end leaves, the other is told, and what was on its way arrives', async () => {
    await using world = await start();
    const tunnel = await world.tunnel();
    await delay(20);
    const asking = await world.ask();
    asking.write('begin');
    await read(tunnel);
    let received = 0;
    asking.on('data', (piece: Buffer) => {
      received += piece.length;
    });
    tunnel.end(Buffer.alloc(3_000_000));
    await closed(asking);
    expect(received).toBe(3_000_000);
    const other = await world.tunnel();
    await delay(20);
    const leaving = await world.ask();
    leaving.write('x');
    await read(other);
    leaving.destroy();
    await closed(other);
  });

  test('a tunnel that was left while it waited is not given to anybody', async () => {
    await using world = await start();
    const dead = await world.tunnel();
    const alive = await world.tunnel();
    await delay(20);
    dead.destroy();
    await delay(20);
    const asking = await world.ask();
    asking.write('x');
    expect(await read(alive)).toBe('x');
  });

  test('nobody can offer a tunnel from outside the Pod', async () => {
    await using world = await start();
    const elsewhere = connect({ port: world.relay.tunnelPort, host: '127.0.0.2' });
    await expect(once(elsewhere, 'connect')).rejects.toThrow('ECONNREFUSED');
  });

  test('it gives up when nobody brings a tunnel any more, and not while one waits', async () => {
    await using world = await start({ aloneMs: 100 });
    let hasLeft = false;
    void world.relay.left.then(() => {
      hasLeft = true;
    });
    const tunnel = await world.tunnel();
    await delay(200);
    expect(hasLeft).toBe(false);
    tunnel.destroy();
    await world.relay.left;
  });

  test('disposing it ends all connections', async () => {
    const world = await start();
    const [tunnel, asking] = [await world.tunnel(), await world.ask()];
    await delay(20);
    await world[Symbol.asyncDispose]();
    await Promise.all([closed(tunnel), closed(asking)]);
  });
});
