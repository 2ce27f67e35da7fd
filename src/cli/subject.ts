import { UsageError } from './usage-error.ts';

/** What a command about objects of a cluster is about. */
export interface Subject {
  readonly what: 'imports' | 'sources';
  readonly names: readonly string[];
}

/** Words that may stand before the names, as in `airlift get sources`. Without one, imports are meant. */
export const SUBJECTS = ['imports', 'sources'] as const;
const WORDS: ReadonlyMap<string, Subject['what']> = new Map([
  ['import', 'imports'],
  ['imports', 'imports'],
  ['source', 'sources'],
  ['sources', 'sources'],
]);

/** An import that is called `sources` is reached by `imports sources`. */
export function parseSubject(positionals: readonly string[]): Subject {
  const [first = '', ...rest] = positionals;
  const what = WORDS.get(first);
  return what === undefined ? { what: 'imports', names: unique(positionals) } : { what, names: unique(rest) };
}

/** @throws UsageError without a name */
export function needNames(command: string, subject: Subject): Subject {
  if (subject.names.length > 0) return subject;
  throw new UsageError(`${command} needs the name of ${subject.what === 'imports' ? 'an import' : 'a source'}`);
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
