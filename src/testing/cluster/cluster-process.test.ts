import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ClusterProcess, findClusterProcesses, killClusterProcesses } from './cluster-process.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'airlift-process-'));
});
afterEach(async () => {
  await killClusterProcesses(folder);
  rmSync(folder, { recursive: true });
});

const start = (script: string) =>
  ClusterProcess.start({ program: 'sh', args: ['-c', script], folder, logPath: join(folder, 'logs', 'sh.log') });
const never = async () => false;

describe.skipIf(process.platform !== 'linux')('ClusterProcess', () => {
  test('writes what the program prints to its log, and neither proxies nor a kubeconfig of ours reach it', async () => {
    vi.stubEnv('HTTPS_PROXY', 'http://proxy.invalid');
    vi.stubEnv('KUBECONFIG', '/ours');
    const shell = await start('env; echo done >&2');
    vi.unstubAllEnvs();
    await shell.ended;
    const log = readFileSync(shell.logPath, 'utf8');
    expect(log).toContain('done');
    expect(log).not.toMatch(/PROXY|KUBECONFIG/);
  });

  test('a program that ends instead of becoming ready is named with the end of its log', async () => {
    const shell = await start('echo no such file; exit 3');
    await expect(shell.waitUntil('ready', never)).rejects.toThrow(/sh ended before it was ready:\nno such file/);
  });

  test('a program that never becomes ready is given up', async () => {
    const shell = await start('echo trying; exec sleep 100');
    await expect(shell.waitUntil('ready', never, 200)).rejects.toThrow(/sh was not ready within 0.2 s/);
    expect(shell.isRunning).toBe(true);
    await shell.stop();
    expect(shell.isRunning).toBe(false);
  });

  test('a program that is not there is said so', async () => {
    const missing = { program: 'no-such-program', args: [], folder, logPath: join(folder, 'logs', 'x.log') };
    await expect(ClusterProcess.start(missing)).rejects.toThrow(/no-such-program ENOENT/);
  });

  test('all processes of a folder are found and killed, also those that they started, and no others', async () => {
    const stranger = spawn('sleep', ['100'], { env: { ...process.env, AIRLIFT_TEST_CLUSTER: `${folder}-other` } });
    try {
      // A session of its own, as daemons take one.
      await start('setsid sleep 100 & exec sleep 100');
      await vi.waitFor(() => {
        expect(findClusterProcesses(folder).map(({ program }) => program)).toEqual(['sleep', 'sleep']);
      });
      await killClusterProcesses(folder);
      expect(findClusterProcesses(folder)).toEqual([]);
      expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
    } finally {
      stranger.kill('SIGKILL');
    }
  });
});
