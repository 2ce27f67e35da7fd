import { spawn } from 'node:child_process';
import { ProblemError } from '../domain/problems.ts';

/** A program that gives credentials, as a kubeconfig names it. */
export interface CredentialPlugin {
  readonly apiVersion: string;
  /** A path when it has a slash, else looked for in PATH. */
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** How to get it, in the words of the kubeconfig. */
  readonly installHint?: string | undefined;
  /** Told to the program where it asks for it. */
  readonly cluster?: Readonly<Record<string, string | boolean>> | undefined;
}

/** Returns what the program prints. @throws ProblemError `KubeCredentialsFailed` */
export type RunPlugin = (plugin: CredentialPlugin) => Promise<string>;

/** Long enough for a login over the network; a program that waits for a person is ended by it. */
const LIMIT_MS = 60_000;
const MOST_BYTES = 1024 * 1024;

/** Runs the program without a terminal: what it prints on stderr is told when it fails. */
export const runPlugin: RunPlugin = async (plugin) => {
  const { command, args, env, apiVersion, cluster, installHint } = plugin;
  const spec = { interactive: false, ...(cluster ? { cluster } : {}) };
  const info = JSON.stringify({ apiVersion, kind: 'ExecCredential', spec });
  const child = spawn(command, args, {
    env: { ...process.env, ...env, KUBERNETES_EXEC_INFO: info },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
  });
  const output = firstBytes(child.stdout);
  const complaint = firstBytes(child.stderr);
  const ended = await new Promise<{ code?: number | null; signal?: string | null; error?: Error }>((resolve) => {
    child.once('error', (error) => resolve({ error }));
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  if (ended.error) {
    const detail = `${command} cannot be run: ${ended.error.message}${installHint ? `; ${installHint}` : ''}`;
    throw new ProblemError('KubeCredentialsFailed', detail, { cause: ended.error });
  }
  if (ended.code !== 0) {
    const how = ended.signal ? `was ended by ${ended.signal}` : `ended with status ${ended.code}`;
    const words = lastLine(complaint());
    throw new ProblemError('KubeCredentialsFailed', `${command} ${how}${words ? `: ${words}` : ''}`);
  }
  return output();
};

/** Collects a stream to the limit; what comes after is read and dropped, so that the program is not held up. */
function firstBytes(stream: NodeJS.ReadableStream): () => string {
  const pieces: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (piece: Buffer) => {
    if (bytes < MOST_BYTES) pieces.push(piece);
    bytes += piece.length;
  });
  return () => Buffer.concat(pieces).toString('utf8');
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.slice(0, 300) ?? '';
}
