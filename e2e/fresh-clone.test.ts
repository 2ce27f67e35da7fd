// What a newcomer does: clone, one command, with the machine's own Node and npm; and installing the packed command.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { requireTool } from '../src/testing/require-tool.ts';
import { temporaryFolder } from './support.ts';

const ROOT = join(import.meta.dirname, '..');

/** The environment of a user's shell: without what npm and our launcher put into this process. */
function userEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|INIT_CWD$|NODE_OPTIONS$|VITEST|AIRLIFT_)/i.test(name),
  );
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules'));
  return { ...Object.fromEntries(kept), PATH: path.join(delimiter), NO_COLOR: '1' };
}

function run(cwd: string, program: string, ...args: string[]): string {
  return execFileSync('sh', ['-c', `"$0" "$@" 2>&1`, program, ...args], {
    cwd,
    env: userEnvironment(),
    encoding: 'utf8',
    timeout: 300_000,
  });
}

describe.skipIf(!requireTool('git') || !requireTool('npm'))('a fresh clone', () => {
  test('imports the sample by `npm start` alone, and again', () => {
    using folder = temporaryFolder();
    run(folder.path, 'git', 'clone', '--quiet', ROOT, 'airlift');
    const clone = join(folder.path, 'airlift');
    expect(existsSync(join(clone, 'node_modules'))).toBe(false);

    const first = run(clone, 'npm', 'start');
    expect(first).toContain('installing dependencies');
    expect(first).toContain('imported and verified');
    expect(first).toContain('Try next');
    expect(readdirSync(join(clone, 'airlift-data', 'sample-appliance')).toSorted()).toEqual([
      'disk-0.qcow2',
      'machine.yaml',
      'report.json',
      'report.md',
    ]);

    const second = run(clone, 'npm', 'start');
    expect(second).not.toContain('installing dependencies');
    expect(second).toContain('Try next');
    expect(run(clone, 'npm', 'start', '--', 'verify', 'airlift-data/sample-appliance/report.json')).toContain(
      'identical',
    );
    expect(run(clone, 'npm', 'test', '--', 'src/lib')).toMatch(/Tests .*passed/);
    expect(run(clone, 'git', 'status', '--porcelain')).toBe('');
  });

  test('packs into a command that installs and runs built', () => {
    using folder = temporaryFolder();
    run(folder.path, 'git', 'clone', '--quiet', ROOT, 'airlift');
    const clone = join(folder.path, 'airlift');
    run(clone, 'npm', 'pack', '--pack-destination', folder.path);
    const archive = readdirSync(folder.path).find((name) => name.endsWith('.tgz')) ?? 'no archive';
    run(
      folder.path,
      'npm',
      'install',
      '--no-audit',
      '--no-fund',
      '--ignore-scripts',
      '--global',
      '--prefix',
      join(folder.path, 'prefix'),
      join(folder.path, archive),
    );
    const airlift = join(folder.path, 'prefix', 'bin', 'airlift');
    expect(run(folder.path, airlift, 'version')).toMatch(/airlift +0\.\d+\.\d+/);
    expect(run(folder.path, airlift, 'inspect', '--help')).toContain('Usage: airlift inspect');
    expect(existsSync(join(folder.path, 'prefix', 'lib', 'node_modules', 'airlift', 'src'))).toBe(false);
  });
});
