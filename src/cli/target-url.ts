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

/** `dir:<folder>?format=qcow2|raw&compression=zstd`. @throws ProblemError `TargetKindUnsupported` */
export function parseTargetUrl(text: string): TargetUrl {
  const [scheme, rest] = splitOnce(text, ':');
  if (rest === undefined || scheme !== 'dir') {
    throw new ProblemError('TargetKindUnsupported', `"${text}" is not a target; the only kind so far is dir:<folder>`);
  }
  const [folder = '', query = ''] = splitOnce(rest, '?');
  if (folder === '') throw new ProblemError('TargetKindUnsupported', `"${text}" names no folder`);
  const options = new URLSearchParams(query);
  for (const key of options.keys()) {
    if (key !== 'format' && key !== 'compression') {
      throw new ProblemError('TargetKindUnsupported', `dir: has no option "${key}"; there are format and compression`);
    }
  }
  const format = choose(options, 'format', FORMATS);
  const compression = choose(options, 'compression', COMPRESSIONS);
  if (format === 'raw' && compression !== 'none')
    throw new ProblemError('TargetKindUnsupported', 'raw disks cannot be compressed');
  return { dir: { folder, format, compression } };
}

function choose<T extends string>(options: URLSearchParams, key: string, values: readonly [T, ...T[]]): T {
  const asked = options.get(key);
  if (asked === null) return values[0];
  const value = values.find((each) => each === asked);
  if (value !== undefined) return value;
  throw new ProblemError('TargetKindUnsupported', `dir: has no ${key} "${asked}"; there are ${values.join(' and ')}`);
}

function splitOnce(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}
