import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { ProblemError } from '../domain/problems.ts';

/** The values of a kubeconfig, as far as they are understood (https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/). Null and empty are the same as absent. */
const text = z
  .string()
  .nullish()
  .transform((value) => value || undefined);
const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);
const texts = z
  .array(z.string())
  .nullish()
  .transform((value) => value ?? []);

const clusterSchema = z.object({
  server: text,
  'certificate-authority': text,
  'certificate-authority-data': text,
  'insecure-skip-tls-verify': flag,
  'tls-server-name': text,
  'proxy-url': text,
});

const execSchema = z.object({
  apiVersion: text,
  command: text,
  args: texts,
  env: z
    .array(z.object({ name: z.string(), value: z.string() }))
    .nullish()
    .transform((value) => value ?? []),
  installHint: text,
  interactiveMode: text,
  provideClusterInfo: flag,
});

const userSchema = z.object({
  'client-certificate': text,
  'client-certificate-data': text,
  'client-key': text,
  'client-key-data': text,
  token: text,
  tokenFile: text,
  username: text,
  password: text,
  as: text,
  'as-uid': text,
  'as-groups': texts,
  'as-user-extra': z
    .record(z.string(), z.array(z.string()))
    .nullish()
    .transform((value) => value ?? {}),
  'auth-provider': z.object({ name: text }).nullish(),
  exec: execSchema.nullish(),
});

const contextSchema = z.object({ cluster: text, user: text, namespace: text });

const fileSchema = z.object({
  'current-context': text,
  clusters: z.array(z.object({ name: z.string(), cluster: clusterSchema })).nullish(),
  users: z.array(z.object({ name: z.string(), user: userSchema })).nullish(),
  contexts: z.array(z.object({ name: z.string(), context: contextSchema })).nullish(),
});

export type KubeconfigCluster = z.output<typeof clusterSchema>;
export type KubeconfigUser = z.output<typeof userSchema>;
export type KubeconfigExec = z.output<typeof execSchema>;
export type KubeconfigContext = z.output<typeof contextSchema>;

/** An entry, and the file it is in: paths in it start there. */
export interface Entry<T> {
  readonly value: T;
  readonly file: string;
  readonly folder: string;
}

export interface MergedKubeconfig {
  readonly currentContext: string | undefined;
  readonly clusters: ReadonlyMap<string, Entry<KubeconfigCluster>>;
  readonly users: ReadonlyMap<string, Entry<KubeconfigUser>>;
  readonly contexts: ReadonlyMap<string, Entry<KubeconfigContext>>;
}

/** More than any kubeconfig has; it is read by whatever it is pointed to. */
const MOST_BYTES = 4 * 1024 * 1024;

/**
 * One configuration from several files: of entries with the same name the first one counts, and so does the first current context. Files that are not there are passed over.
 * @returns undefined when none of them is there
 * @throws ProblemError `KubeconfigUnusable`
 */
export async function readKubeconfigFiles(paths: readonly string[]): Promise<MergedKubeconfig | undefined> {
  const clusters = new Map<string, Entry<KubeconfigCluster>>();
  const users = new Map<string, Entry<KubeconfigUser>>();
  const contexts = new Map<string, Entry<KubeconfigContext>>();
  let currentContext: string | undefined;
  let isFound = false;
  for (const file of paths) {
    const content = await readIfThere(file);
    if (content === undefined) continue;
    isFound = true;
    const read = parseKubeconfig(file, content);
    const entry = <T>(value: T): Entry<T> => ({ value, file, folder: dirname(file) });
    currentContext ??= read['current-context'];
    for (const { name, cluster } of read.clusters ?? []) if (!clusters.has(name)) clusters.set(name, entry(cluster));
    for (const { name, user } of read.users ?? []) if (!users.has(name)) users.set(name, entry(user));
    for (const { name, context } of read.contexts ?? []) if (!contexts.has(name)) contexts.set(name, entry(context));
  }
  return isFound ? { currentContext, clusters, users, contexts } : undefined;
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new ProblemError('KubeconfigUnusable', `${file} cannot be read`, { cause });
  }
}

/** Values are never repeated in messages: any of them may be a secret. */
function parseKubeconfig(file: string, content: string): z.output<typeof fileSchema> {
  if (content.length > MOST_BYTES)
    throw new ProblemError('KubeconfigUnusable', `${file} has more than ${MOST_BYTES} bytes`);
  let value: unknown;
  try {
    value = parse(content, { prettyErrors: false, logLevel: 'error' }) ?? {};
  } catch (error) {
    const line =
      error instanceof Error && 'pos' in error && Array.isArray(error.pos) ? lineAt(content, Number(error.pos[0])) : 1;
    throw new ProblemError('KubeconfigUnusable', `${file}, line ${line}: this is no YAML`);
  }
  const read = fileSchema.safeParse(value);
  if (read.success) return read.data;
  const wrong = read.error.issues.map(({ path }) => path.join('.') || 'the whole');
  throw new ProblemError(
    'KubeconfigUnusable',
    `${file}: not as a kubeconfig has it: ${[...new Set(wrong)].join(', ')}`,
  );
}

function lineAt(content: string, position: number): number {
  return content.slice(0, position).split('\n').length;
}
