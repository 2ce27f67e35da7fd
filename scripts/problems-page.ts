import type { Problem, Retry } from '../src/domain/problems.ts';

/** The errors page: one section per code, so that every message can be looked up by its anchor. */
export function renderProblemsPage(problems: Readonly<Record<string, Problem>>): string {
  const sections = Object.entries(problems).map(([code, { summary, remedy, retry }]) =>
    [`## ${code}`, '', summary, '', `**What to do:** ${remedy}`, '', `**Trying again:** ${retryText(retry)}`, ''].join(
      '\n',
    ),
  );
  return [
    '# Problems',
    '',
    'Every problem that Airlift can report, with what to do about it. Messages, findings, reports and exit texts use these codes.',
    '',
    '<!-- Generated from src/domain/problems.ts by npm run generate. -->',
    '',
    ...sections,
  ].join('\n');
}

function retryText(retry: Retry): string {
  if (retry === 'never') return 'only after something was changed.';
  if (retry === 'backoff') return 'by itself, with growing pauses; it may pass.';
  return `by itself after ${retry.afterMs / 1000} seconds.`;
}
