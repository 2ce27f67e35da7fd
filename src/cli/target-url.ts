import { ProblemError } from '../domain/problems.ts';

/** `--to`, parsed. */
export interface TargetUrl {
  readonly dir: {
    readonly folder: string;
    readonly format: 'qcow2' | 'raw';
    readonly compression: 'none' | 'zstd';
  };
}

const FORMATS = ['qcow2', 'raw'] as const;
const COMPRESSIONS = ['none', 'zstd'] as const;
const OPTIONS = ['format', 'compression'];

/** `dir:<folder>?format=qcow2|raw&compression=zstd`. @throws ProblemError `TargetKindUnsupported` */
export function parseTargetUrl(text: string): TargetUrl {
  const [scheme, rest] = splitOnce(text, ':');
  if (rest === undefined) throw refuse(`"${text}" is no target; for a folder of that name write dir:${text}`);
  if (scheme !== 'dir') throw refuse(`"${scheme}:" is no kind of target; the only one so far is dir:<folder>`);
  const [folder = '', query = ''] = splitOnce(rest, '?');
  if (folder === '') throw refuse(`"${text}" names no folder`);
  // Shells leave a ~ behind a colon alone, and a folder called "~" is not what anybody wants.
  if (/^~(\/|$)/.test(folder))
    throw refuse(`"${folder}" is not expanded behind dir:; write dir:$HOME${folder.slice(1)}`);

  const options = new URLSearchParams(query);
  for (const key of options.keys()) {
    if (!OPTIONS.includes(key)) throw refuse(`dir: has no option "${key}"; there are ${OPTIONS.join(' and ')}`);
    if (options.getAll(key).length > 1) throw refuse(`"${text}" gives ${key} more than once`);
  }
  const format = choose(options, 'format', FORMATS);
  const compression = choose(options, 'compression', COMPRESSIONS);
  if (format === 'raw' && compression !== 'none')
    throw refuse('raw disks cannot be compressed; leave out one of the two');
  return { dir: { folder, format, compression } };
}

function choose<T extends string>(options: URLSearchParams, key: string, values: readonly [T, ...T[]]): T {
  const asked = options.get(key);
  if (asked === null) return values[0];
  const value = values.find((each) => each === asked);
  if (value !== undefined) return value;
  throw refuse(`dir: has no ${key} "${asked}"; there are ${values.join(' and ')}`);
}

function refuse(detail: string): ProblemError {
  return new ProblemError('TargetKindUnsupported', detail);
}

function splitOnce(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}
