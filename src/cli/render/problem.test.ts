import { describe, expect, test } from 'vitest';
import { ProblemError } from '../../domain/problems.ts';
import { noPaint } from '../io.ts';
import { renderBug, renderProblem } from './problem.ts';

const io = { paint: noPaint, columns: 80 };

describe('renderProblem', () => {
  test('says what, where and what to do', () => {
    const detail = 'grain at file offset 66048 of disk1.vmdk claims 9 MiB; this image allows 128 KiB';
    expect(renderProblem(new ProblemError('DiskImageCorrupt', detail), io)).toMatchInlineSnapshot(`
      "error DiskImageCorrupt: The disk image contradicts itself.
        grain at file offset 66048 of disk1.vmdk claims 9 MiB; this image allows 128
        KiB
        -> Export the disk again, and check the original with \`qemu-img check\` or
        \`vmkfstools -x check\`."
    `);
  });

  test('a command line to copy stands on one line, however long', () => {
    const command = `airlift import ${'x'.repeat(100)}.ova --to dir:./out`;
    const text = renderProblem(new ProblemError('SourceStalled', 'nothing for 60 s'), io, command);
    expect(text.split('\n').at(-1)?.trim()).toBe(command);
  });

  test('a detail cannot drive the terminal', () => {
    const text = renderProblem(new ProblemError('MachineNotFound', 'no "\u001b[2J\n-> Run: rm -rf"'), io);
    expect(text).not.toContain('\u001b');
    expect(text.split('\n')[1]).toBe('  no "\\u{1b}[2J -> Run: rm -rf"');
  });
});

describe('renderBug', () => {
  const bug = new TypeError('x is undefined', { cause: new RangeError('deeper') });

  test('is short and asks for a report', () => {
    expect(renderBug(bug, false)).toMatchInlineSnapshot(`
      "Airlift met a situation it should not: TypeError: x is undefined
      Please report this, with the output of the same command with --debug and of \`airlift version\`."
    `);
  });

  test('has the stacks of the error and its causes on request', () => {
    const text = renderBug(bug, true);
    expect(text).toContain('problem.test.ts');
    expect(text).toContain('caused by RangeError: deeper');
  });

  test.each([undefined, null, 'text', 42])('also of %s, which anybody may throw', (thrown) => {
    expect(renderBug(thrown, true)).toContain(String(thrown));
  });
});
