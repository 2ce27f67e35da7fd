import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { endWithUs } from './leftovers.ts';

export interface ServedFile extends Disposable {
  readonly url: string;
  /** Bytes that the server has sent so far. */
  sentBytes(): Promise<number>;
}

/** Serves one file by a process of its own, each connection at most at a rate and each answer after a delay. @throws Error when the server does not start */
export async function serveFile(
  path: string,
  options: { readonly bytesPerSecond?: number; readonly delayMs?: number } = {},
): Promise<ServedFile> {
  const { bytesPerSecond = Number.POSITIVE_INFINITY, delayMs = 0 } = options;
  const script = join(import.meta.dirname, 'capped-server.ts');
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', script, path, String(bytesPerSecond), String(delayMs)],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  endWithUs(child);
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const readNumber = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`the server of ${path} has ended`);
    return Number(value);
  };
  const port = await readNumber();
  return {
    url: `http://127.0.0.1:${port}/disk.ova`,
    async sentBytes() {
      child.stdin.write('\n');
      return await readNumber();
    },
    [Symbol.dispose]: () => void child.kill(),
  };
}
