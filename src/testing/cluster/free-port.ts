import { createServer } from 'node:net';

/** Below what the kernel hands out by itself (/proc/sys/net/ipv4/ip_local_port_range), so that no outgoing connection takes the port before its server does. */
const RANGE = { from: 20_000, to: 32_000 };

/** A TCP port of this machine that nothing listens on. */
export async function findFreePort(address = '127.0.0.1', random = Math.random): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = RANGE.from + Math.floor(random() * (RANGE.to - RANGE.from));
    if (await isFree(port, address)) return port;
  }
  throw new Error(`found no free port on ${address} between ${RANGE.from} and ${RANGE.to}`);
}

function isFree(port: number, address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, address, () => server.close(() => resolve(true)));
  });
}
