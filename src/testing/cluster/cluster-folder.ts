import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Holds a folder for each cluster of this machine. The paths below must stay short: those of Unix sockets end after 107 bytes. */
export function clustersFolder(): string {
  return process.env.AIRLIFT_CLUSTERS ?? join(tmpdir(), 'airlift-clusters');
}

export function clusterFolder(name: string): string {
  return join(clustersFolder(), name);
}

export async function listClusterFolders(): Promise<string[]> {
  try {
    const entries = await readdir(clustersFolder(), { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => clusterFolder(name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Makes the folder of a new cluster, owned by this process. Throws when there is a cluster of that name. */
export async function claimClusterFolder(name: string): Promise<string> {
  if (!/^[a-z0-9][a-z0-9-]{0,30}$/.test(name)) {
    throw new Error(`a cluster's name has at most 31 lower-case letters, digits and dashes: ${JSON.stringify(name)}`);
  }
  const folder = clusterFolder(name);
  await mkdir(clustersFolder(), { recursive: true });
  try {
    await mkdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new Error(`there is a cluster ${name} already; npm run cluster -- down ${name}`, { cause: error });
  }
  await writeClusterRecord(folder, { name, owner: thisProcess() });
  return folder;
}

/** Names what a cluster owns outside its folder (links, cgroups), so that it is found again from the folder alone; eight characters. */
export function clusterMark(folder: string): string {
  return createHash('sha256').update(folder).digest('hex').slice(0, 8);
}

/** A process, told apart from a later one with the same number. */
export interface ClusterOwner {
  readonly pid: number;
  /** In clock ticks since the machine booted (proc(5), field 22 of stat). */
  readonly startTicks: number;
}

/** What the folder says about its cluster. */
export interface ClusterRecord {
  readonly name: string;
  /** Whose end is the cluster's end; absent when only `down` ends it. */
  readonly owner?: ClusterOwner | undefined;
  /** Absent until the cluster has been started. */
  readonly server?: string;
}

const RECORD = 'cluster.json';

export async function writeClusterRecord(folder: string, record: ClusterRecord): Promise<void> {
  await writeFile(join(folder, RECORD), JSON.stringify(record));
}

/** Undefined for a folder whose cluster was never begun, or is just being removed. */
export async function readClusterRecord(folder: string): Promise<ClusterRecord | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, RECORD), 'utf8')) as ClusterRecord;
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

export function thisProcess(): ClusterOwner {
  const startTicks = startTicksOf(process.pid);
  if (startTicks === undefined) throw new Error('/proc does not know this process');
  return { pid: process.pid, startTicks };
}

export function isAlive({ pid, startTicks }: ClusterOwner): boolean {
  return startTicksOf(pid) === startTicks;
}

function startTicksOf(pid: number): number | undefined {
  try {
    // The name in the second field may hold spaces and parentheses.
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ');
    return Number(fields?.[19]);
  } catch {
    return undefined;
  }
}
