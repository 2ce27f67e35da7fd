import { describe, expect, test } from 'vitest';
import { isProblem, ProblemError, problems } from './problems.ts';

describe('the problem catalogue', () => {
  test.each(Object.entries(problems))(
    '%s has a code in PascalCase, a summary, a remedy and a retry class',
    (code, { summary, remedy, retry }) => {
      expect(code).toMatch(/^([A-Z][a-z]+)+$/);
      expect(summary).toMatch(/^[A-Z].{15,}\.$/);
      expect(remedy).toMatch(/^[A-Z].{15,}\.$/);
      expect(retry === 'never' || retry === 'backoff' || retry.afterMs > 0).toBe(true);
    },
  );

  test('no two problems have the same summary', () => {
    const summaries = Object.values(problems).map(({ summary }) => summary);
    expect(new Set(summaries).size).toBe(summaries.length);
  });
});

describe('ProblemError', () => {
  test('keeps its cause and finds its entry in the catalogue', () => {
    const cause = new Error('EIO');
    const error = new ProblemError('SourceReadFailed', 'cannot read a.vmdk', { cause, context: { offset: 5 } });
    expect(error).toMatchObject({
      cause,
      message: 'cannot read a.vmdk',
      context: { offset: 5 },
      problem: { retry: 'backoff' },
    });
  });

  test('is told apart by code', () => {
    const error = new ProblemError('TargetFull', 'x');
    expect(isProblem(error)).toBe(true);
    expect(isProblem(error, 'TargetFull', 'TargetBusy')).toBe(true);
    expect(isProblem(error, 'TargetBusy')).toBe(false);
    expect(isProblem(new Error('bug'))).toBe(false);
  });
});
