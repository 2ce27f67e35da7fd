import { describe, expect, test } from 'vitest';
import { readSourceState } from './source-state.ts';
import { fakeRun } from './testing/fake-run.ts';

/** git, with this last commit and these changes. */
function git(commit: string | undefined, changes = '') {
  return fakeRun(({ args }) => {
    if (args[0] === 'status') return changes;
    return commit === undefined ? { status: 128, stderr: 'fatal: not a git repository' } : `${commit}\n`;
  });
}

describe('readSourceState', () => {
  test('the image has the time of the last commit', async () => {
    expect(await readSourceState('/x', {}, git('c0ffee 1750000000').run)).toEqual({
      revision: 'c0ffee',
      createdAt: new Date('2025-06-15T15:06:40Z'),
    });
  });

  test('changes in what becomes part of the image are told', async () => {
    const { run, calls } = git('c0ffee 1750000000', ' M src/main/cli.ts\n');
    expect(await readSourceState('/x', {}, run)).toMatchObject({ revision: 'c0ffee-dirty' });
    expect(calls.at(-1)?.args).toContain('package-lock.json');
    expect(calls.at(-1)?.args).not.toContain('docs');
  });

  test('SOURCE_DATE_EPOCH goes before it', async () => {
    const state = await readSourceState('/x', { SOURCE_DATE_EPOCH: '1' }, git('c0ffee 1750000000').run);
    expect(state.createdAt).toEqual(new Date(1000));
  });

  test.each([{}, { SOURCE_DATE_EPOCH: 'yesterday' }])('%j outside a checkout is refused', async (environment) => {
    await expect(readSourceState('/x', environment, git(undefined).run)).rejects.toThrow('set SOURCE_DATE_EPOCH');
  });
});
