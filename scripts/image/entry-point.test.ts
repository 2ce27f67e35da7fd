import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { scratchFolder } from './testing/scratch-folder.ts';

const ROOT = join(import.meta.dirname, '..', '..');
interface EntryPointModule {
  readonly ENTRY_POINTS: readonly string[];
  chooseEntryPoint(
    root: string,
    args: readonly string[],
  ): { readonly script: string; readonly args: readonly string[] };
}
const { ENTRY_POINTS, chooseEntryPoint }: EntryPointModule = await import(
  pathToFileURL(join(ROOT, 'bin', 'entry-point.js')).href
);

describe('chooseEntryPoint', () => {
  test('a name of its own starts its own file, without that name', () => {
    expect(chooseEntryPoint('/x', ['controller', '--port', '1'])).toEqual({
      script: '/x/src/main/controller.ts',
      args: ['--port', '1'],
    });
  });

  test.each([[[]], [['--help']], [['import', 'controller']]])('%j is for the command line', (args) => {
    expect(chooseEntryPoint('/x', args)).toEqual({ script: '/x/src/main/cli.ts', args });
  });

  test.each([...ENTRY_POINTS, 'inspect'])('what `airlift %s` starts is there', (name) => {
    expect(existsSync(join(ROOT, 'src', 'main', `${ENTRY_POINTS.includes(name) ? name : 'cli'}.ts`))).toBe(true);
    expect(chooseEntryPoint(ROOT, [name]).script).toSatisfy(existsSync);
  });

  test('prefers what is built', () => {
    using folder = scratchFolder();
    mkdirSync(join(folder.path, 'dist', 'main'), { recursive: true });
    writeFileSync(join(folder.path, 'dist', 'main', 'transfer-worker.js'), '');
    expect(chooseEntryPoint(folder.path, ['transfer-worker']).script).toBe(
      join(folder.path, 'dist/main/transfer-worker.js'),
    );
  });
});

test.each([
  ['in a process of its own', []],
  [
    'in the same process when that has the flags already',
    ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=2'],
  ],
])('bin/airlift.js runs the command line %s', (_how, flags) => {
  const output = execFileSync(process.execPath, [...flags, join(ROOT, 'bin', 'airlift.js'), 'inspect', '--help'], {
    encoding: 'utf8',
  });
  expect(output).toContain('Usage: airlift inspect');
});
