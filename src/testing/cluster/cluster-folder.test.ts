import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  claimClusterFolder,
  clusterMark,
  isAlive,
  listClusterFolders,
  readClusterRecord,
  thisProcess,
} from './cluster-folder.ts';

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'airlift-folders-'));
  vi.stubEnv('AIRLIFT_CLUSTERS', join(base, 'clusters'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(base, { recursive: true });
});

describe('claimClusterFolder', () => {
  test('makes a folder that says who owns it', async () => {
    const folder = await claimClusterFolder('one');
    expect(folder).toBe(join(base, 'clusters', 'one'));
    expect(await readClusterRecord(folder)).toEqual({ name: 'one', owner: thisProcess() });
    expect(await listClusterFolders()).toEqual([folder]);
  });

  test('a name is taken once, and the way out is named', async () => {
    await claimClusterFolder('one');
    await expect(claimClusterFolder('one')).rejects.toThrow(
      'there is a cluster one already; npm run cluster -- down one',
    );
  });

  test.each(['', '../out', 'Upper', 'a/b', 'x'.repeat(32)])('refuses the name %j and makes nothing', async (name) => {
    await expect(claimClusterFolder(name)).rejects.toThrow('at most 31');
    expect(readdirSync(base)).toEqual([]);
  });
});

test('there are no clusters where none was ever started', async () => {
  expect(await listClusterFolders()).toEqual([]);
});

test('a folder without a record is a cluster that never began', async () => {
  expect(await readClusterRecord(base)).toBeUndefined();
});

test('marks differ between folders and fit into the name of a link', () => {
  expect(clusterMark('/a')).not.toBe(clusterMark('/b'));
  expect(`al-${clusterMark('/a')}-14`.length).toBeLessThanOrEqual(15);
});

describe('isAlive', () => {
  test('is true of this process, and false of another one with its number', () => {
    const { pid, startTicks } = thisProcess();
    expect(isAlive({ pid, startTicks })).toBe(true);
    expect(isAlive({ pid, startTicks: startTicks - 1 })).toBe(false);
  });

  test('is false of a process that has ended', async () => {
    const child = spawn('true');
    await new Promise((resolve) => child.once('close', resolve));
    expect(isAlive({ pid: child.pid ?? 0, startTicks: thisProcess().startTicks })).toBe(false);
  });
});
