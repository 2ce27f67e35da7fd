// Starts and kills real processes: whether a holder lives is the kernel's to say. lock-folder.test.ts has the locks that no process here can leave.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lockFolder } from './lock-folder.ts';

const PROCESSES = 8;

let root: string;
let folder: string;
/** Ended with each test, also a failed one. */
let children: ChildProcess[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'airlift-lock-'));
  folder = join(root, 'vm.partial');
  children = [];
});
afterEach(async () => {
  for (const child of children) await kill(child);
  rmSync(root, { recursive: true });
});

/** Runs a script that has `lockFolder`, the `folder`, the `root` and a `sleep(ms)`. */
function startProcess(script: string): ChildProcess {
  const url = new URL('lock-folder.ts', import.meta.url).href;
  const head = `
    import { appendFileSync, mkdirSync } from 'node:fs';
    import { lockFolder } from ${JSON.stringify(url)};
    const [root, folder] = process.argv.slice(1);
    const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms));
    mkdirSync(folder, { recursive: true });`;
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', head + script, root, folder];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

async function startHolder(): Promise<ChildProcess> {
  const child = startProcess(`
    const lock = await lockFolder(folder);
    console.log('held');
    process.stdin.once('end', () => lock[Symbol.asyncDispose]()).resume();`);
  if (child.stdout !== null) await once(child.stdout, 'data');
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

describe('a lock of another process', () => {
  test('is busy while that process lives and names it, and free once it has released it', async () => {
    const holder = await startHolder();
    await expect(lockFolder(folder)).rejects.toMatchObject({
      code: 'TargetBusy',
      message: expect.stringContaining(`process ${holder.pid} on ${hostname()} is working in ${folder}`),
      context: { pid: holder.pid },
    });
    const gone = once(holder, 'exit');
    holder.stdin?.end();
    expect(await gone).toEqual([0, null]);
    expect(readdirSync(folder)).toEqual([]);
    await using _lock = await lockFolder(folder);
  });

  test('is busy while that process is stopped, however long', async () => {
    const holder = await startHolder();
    holder.kill('SIGSTOP');
    await expect(lockFolder(folder)).rejects.toMatchObject({ code: 'TargetBusy' });
  });

  test('is taken over once that process was killed with SIGKILL', async () => {
    const holder = await startHolder();
    await kill(holder);
    expect(readdirSync(folder)).toEqual(['lock']);
    {
      await using _lock = await lockFolder(folder);
      expect(JSON.parse(readFileSync(join(folder, 'lock'), 'utf8'))).toMatchObject({ pid: process.pid });
    }
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe(`${PROCESSES} processes that race for a stale lock`, () => {
  test('hold it one at a time until each has had it, and one of them dying with it stops nobody', async () => {
    const victim = await startHolder();
    await kill(victim);
    const stale = readFileSync(join(folder, 'lock'));

    const log = join(root, 'log');
    writeFileSync(log, '');
    const racers = Array.from({ length: PROCESSES }, (_, index) =>
      startProcess(`
        process.stdin.once('data', async () => {
          for (let held = 0; held < 3; ) {
            try {
              await using lock = await lockFolder(folder);
              appendFileSync(root + '/log', 'begin ${index}\\n');
              await sleep(5 + Math.random() * 10);
              appendFileSync(root + '/log', 'end ${index}\\n');
              held += 1;
              if (${index} === 0 && held === 2) process.kill(process.pid, 'SIGKILL');
            } catch (error) {
              if (error.code !== 'TargetBusy') throw error;
            }
            await sleep(Math.random() * 10);
          }
          process.exit(0);
        });
        console.log('ready');`),
    );
    await Promise.all(racers.map(({ stdout }) => stdout !== null && once(stdout, 'data')));
    expect(readFileSync(join(folder, 'lock')).equals(stale)).toBe(true);

    const ends = Promise.all(racers.map((racer) => once(racer, 'exit')));
    for (const racer of racers) racer.stdin?.write('go\n');
    const [first, ...others] = await ends;
    expect(first).toEqual([null, 'SIGKILL']);
    expect(others).toEqual(Array(PROCESSES - 1).fill([0, null]));

    const lines = readFileSync(log, 'utf8').trim().split('\n');
    const begun = lines.filter((line) => line.startsWith('begin'));
    expect(begun).toHaveLength(3 * (PROCESSES - 1) + 2);
    expect(lines).toEqual(begun.flatMap((line) => [line, line.replace('begin', 'end')]));
    // The dead one's lock was taken over by the others, unless it was the last to have it.
    expect(readdirSync(folder).filter((name) => name !== 'lock')).toEqual([]);
    await using _lock = await lockFolder(folder);
  });
});
