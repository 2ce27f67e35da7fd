import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { clusterEnvironment } from './cluster-environment.ts';

/** In the environment of every process of a cluster, with the cluster's folder as value: by it they are found again, whoever started them, and nothing else is ever killed. */
const MARK = 'AIRLIFT_TEST_CLUSTER';
const LOG_TAIL_LINES = 15;
const POLL_MS = 50;

export interface ClusterProcessOptions {
  readonly program: string;
  readonly args: readonly string[];
  /** The cluster's folder. */
  readonly folder: string;
  readonly logPath: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** A long-running program of a cluster, with its output in a file. It outlives us: who ends it is `stop` or `killClusterProcesses`. */
export class ClusterProcess {
  readonly logPath: string;
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly ended: Promise<void>;

  private constructor(child: ChildProcess, { program, logPath }: ClusterProcessOptions) {
    this.#child = child;
    this.#name = basename(program);
    this.logPath = logPath;
    this.ended = new Promise((resolve) => child.once('close', () => resolve()));
  }

  static async start(options: ClusterProcessOptions): Promise<ClusterProcess> {
    await mkdir(dirname(options.logPath), { recursive: true });
    const log = openSync(options.logPath, 'a');
    try {
      // Detached: neither Ctrl-C on our terminal nor our own end reaches it.
      const child = spawn(options.program, options.args, {
        detached: true,
        stdio: ['ignore', log, log],
        env: { ...clusterEnvironment(options.folder), ...options.env, [MARK]: options.folder },
      });
      child.unref();
      await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
      return new ClusterProcess(child, options);
    } finally {
      closeSync(log);
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Asks until the answer is true. Throws with the end of the log when the program ends before, or after `timeoutMs`. */
  async waitUntil(what: string, isTrue: () => Promise<boolean>, timeoutMs = 60_000): Promise<void> {
    const until = performance.now() + timeoutMs;
    while (!(await isTrue())) {
      if (!this.isRunning) throw new Error(`${this.#name} ended before it was ${what}:\n${this.logTail()}`);
      if (performance.now() > until) {
        throw new Error(`${this.#name} was not ${what} within ${timeoutMs / 1000} s:\n${this.logTail()}`);
      }
      await delay(POLL_MS);
    }
  }

  /** Ends it, with SIGKILL where it does not end within ten seconds by itself. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (!this.isRunning) return;
    this.#child.kill(signal);
    const patience = new AbortController();
    await Promise.race([this.ended, delay(10_000, undefined, { signal: patience.signal }).catch(() => undefined)]);
    patience.abort();
    if (this.isRunning) this.#child.kill('SIGKILL');
    await this.ended;
  }

  logTail(): string {
    return readFileSync(this.logPath, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
  }
}

/** Processes of the cluster in this folder, wherever they were started. */
export function findClusterProcesses(folder: string): { readonly pid: number; readonly program: string }[] {
  const mark = `${MARK}=${folder}`;
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      // A zombie's environment is empty; another user's is not for us to read.
      if (!readFileSync(`/proc/${entry}/environ`, 'latin1').split('\0').includes(mark)) return [];
      return [{ pid: Number(entry), program: readFileSync(`/proc/${entry}/comm`, 'utf8').trim() }];
    } catch {
      return [];
    }
  });
}

/** Kills every process of a cluster and waits until none is left. */
export async function killClusterProcesses(folder: string): Promise<void> {
  const until = performance.now() + 30_000;
  for (;;) {
    const left = findClusterProcesses(folder);
    if (left.length === 0) return;
    if (performance.now() > until) throw new Error(`these do not end: ${JSON.stringify(left)}`);
    for (const { pid } of left) killIfThere(pid);
    await delay(POLL_MS);
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
