import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { endWithUs } from './leftovers.ts';

const SAMPLE_MS = 20;

export interface Measurement {
  readonly seconds: number;
  /**
   * The larger of two: the resident sets of the process and all its descendants together, looked at every 20 ms, and the kernel's own record of the first one's highest, which
   * misses no moment. 0 unless `samplesMemory`.
   */
  readonly peakBytes: number;
}

export interface MeasureOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Off where time is measured: looking costs some. */
  readonly samplesMemory?: boolean;
  /** Is shown the running process, to meddle with it. */
  readonly onStart?: (child: ChildProcess) => void;
}

/** Runs a command to its end. @throws Error with what it said when it fails */
export async function measure(
  program: string,
  args: readonly string[],
  options: MeasureOptions = {},
): Promise<Measurement> {
  const { env, samplesMemory = false, onStart } = options;
  const started = performance.now();
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } });
  endWithUs(child);
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  let seconds = 0;
  child.once('exit', () => {
    seconds = (performance.now() - started) / 1000;
  });
  onStart?.(child);

  let peakBytes = 0;
  const look = () => {
    peakBytes = Math.max(peakBytes, sumOverTree(child.pid), readStatus(child.pid, 'VmHWM'));
  };
  const timer = samplesMemory ? setInterval(look, SAMPLE_MS) : undefined;
  try {
    const status = await new Promise<number | string | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => resolve(code ?? signal));
    });
    if (status !== 0) {
      const said = stderr.slice(-2000).trim();
      throw new Error(`${said}${said === '' ? '' : '\n'}ended with ${status}: ${program} ${args.join(' ')}`);
    }
  } finally {
    clearInterval(timer);
  }
  return { seconds, peakBytes };
}

/** Seconds that a command takes. @throws Error with what it said when it fails */
export async function timeCommand(program: string, args: readonly string[]): Promise<number> {
  return (await measure(program, args)).seconds;
}

/** Resident memory of a process and its descendants; 0 once they are gone. */
function sumOverTree(pid: number | undefined): number {
  if (pid === undefined) return 0;
  return listChildren(pid).reduce((sum, child) => sum + sumOverTree(child), readStatus(pid, 'VmRSS'));
}

function listChildren(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    // A thread or the process ended between two looks; what was seen before counts.
    return [];
  }
}

/** A line of /proc/<pid>/status (proc(5)) in bytes; 0 for a process that is gone. */
function readStatus(pid: number | undefined, name: 'VmRSS' | 'VmHWM'): number {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0) * 1024;
  } catch {
    // As above.
    return 0;
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? 0)) / 2;
}
