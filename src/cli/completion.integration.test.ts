import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { requireTool } from '../testing/require-tool.ts';
import { renderCompletion } from './completion.ts';
import { commands } from './run-cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'airlift-completion-'));
afterAll(() => rmSync(folder, { recursive: true }));
const script = join(folder, 'airlift.bash');
writeFileSync(script, renderCompletion('bash', commands));
writeFileSync(join(folder, 'my appliance.ova'), '');

/** What bash offers for the last of these words, which are as readline breaks them: at blanks, "=" and ":". */
function complete(...words: string[]): string[] {
  const code = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _airlift 2>/dev/null; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const output = execFileSync('bash', ['--norc', '-c', code, 'bash', script, 'airlift', ...words], {
    cwd: folder,
    encoding: 'utf8',
  });
  return output.split('\n').filter((line) => line !== '');
}

describe.skipIf(!requireTool('bash'))('bash completes', () => {
  test('commands', () => {
    expect(complete('')).toEqual([...commands.map(({ name }) => name), 'help', '--help', '--version']);
    expect(complete('ver')).toEqual(['verify', 'version']);
    expect(complete('--quiet', 'imp')).toEqual(['import']);
  });

  test('the options of a command, of which every one is known', () => {
    for (const { name, flags } of commands) {
      expect(complete(name, '--')).toEqual(expect.arrayContaining(Object.keys(flags).map((flag) => `--${flag}`)));
    }
    expect(complete('import', 'app.ova', '--di')).toEqual(['--disk-bus']);
    expect(complete('--quiet', 'import', '--re')).toEqual(['--restart']);
  });

  test('fixed values, also behind "=" and a short name', () => {
    expect(complete('import', '--disk-bus', '')).toEqual(['virtio', 'sata', 'scsi']);
    expect(complete('plan', '--output', 'y')).toEqual(['yaml']);
    expect(complete('plan', '-o', 'j')).toEqual(['json']);
    expect(complete('plan', '--output', '=')).toEqual(['table', 'json', 'yaml']);
    expect(complete('plan', '--output', '=', 'j')).toEqual(['json']);
    expect(complete('completion', '')).toEqual(['bash', 'zsh', 'fish']);
  });

  test('files, with blanks in their names, also behind dir:', () => {
    expect(complete('import', 'my')).toEqual(['my appliance.ova']);
    expect(complete('import', 'a.ova', '--to', 'dir', ':', 'my')).toEqual(['my appliance.ova']);
  });

  test('nothing where there is nothing', () => {
    expect(complete('import', 'nowhere')).toEqual([]);
    expect(complete('nonsense', '--')).toEqual([]);
  });
});
