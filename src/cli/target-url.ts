import { ProblemError } from '../domain/problems.ts';

/** `--to`, parsed. */
export type TargetUrl =
  | { readonly dir: DirUrl; readonly device?: undefined }
  | { readonly device: DeviceUrl; readonly dir?: undefined };

export interface DirUrl {
  readonly folder: string;
  readonly format: 'qcow2' | 'raw';
  readonly compression: 'none' | 'zstd';
}

/** Devices in the order of the machine's disks, and the folder that holds checkpoints and at the end the documents. */
export interface DeviceUrl {
  readonly paths: readonly string[];
  readonly stateFolder: string;
}

const FORMATS = ['qcow2', 'raw'] as const;
const COMPRESSIONS = ['none', 'zstd'] as const;

/**
 * `dir:<folder>?format=qcow2|raw&compression=zstd` or `device:<path>,<path>?state=<folder>`.
 * @throws ProblemError `TargetKindUnsupported`
 */
export function parseTargetUrl(text: string): TargetUrl {
  const [scheme, rest] = splitOnce(text, ':');
  if (rest === undefined) throw refuse(`"${text}" is no target; for a folder of that name write dir:${text}`);
  const [place = '', query = ''] = splitOnce(rest, '?');
  if (scheme === 'dir') return { dir: parseDir(text, place, query) };
  if (scheme === 'device') return { device: parseDevice(text, place, query) };
  throw refuse(`"${scheme}:" is no kind of target; there are dir:<folder> and device:<device>,...?state=<folder>`);
}

function parseDir(text: string, folder: string, query: string): DirUrl {
  if (folder === '') throw refuse(`"${text}" names no folder`);
  refuseTilde('dir', folder, 'behind dir:');
  const options = readOptions(text, 'dir', query, ['format', 'compression']);
  const format = choose(options, 'format', FORMATS);
  const compression = choose(options, 'compression', COMPRESSIONS);
  if (format === 'raw' && compression !== 'none')
    throw refuse('raw disks cannot be compressed; leave out one of the two');
  return { folder, format, compression };
}

function parseDevice(text: string, place: string, query: string): DeviceUrl {
  const paths = place.split(',');
  if (place === '') throw refuse(`"${text}" names no device`);
  if (paths.includes('')) throw refuse(`"${text}" has a comma without a device beside it`);
  for (const path of paths) refuseTilde('device', path, 'behind device:');
  const stateFolder = readOptions(text, 'device', query, ['state']).get('state') ?? '';
  if (stateFolder === '') {
    throw refuse(`"${text}" names no folder for checkpoints and the report; write "device:${place}?state=<folder>"`);
  }
  refuseTilde('device', stateFolder, 'behind state=');
  return { paths, stateFolder };
}

function readOptions(text: string, kind: string, query: string, known: readonly string[]): URLSearchParams {
  // A path may hold a plus; that it means a blank is for web forms.
  const options = new URLSearchParams(query.replaceAll('+', '%2B'));
  for (const key of options.keys()) {
    if (!known.includes(key)) throw refuse(`${kind}: has no option "${key}"; ${tellOptions(known)}`);
    if (options.getAll(key).length > 1) throw refuse(`"${text}" gives ${key} more than once`);
  }
  return options;
}

function tellOptions(known: readonly string[]): string {
  return `there ${known.length === 1 ? 'is' : 'are'} ${known.join(' and ')}`;
}

/** Shells leave a ~ behind a colon or an equals sign alone, and a folder called "~" is not what anybody wants. */
function refuseTilde(kind: string, path: string, where: string): void {
  if (!/^~(\/|$)/.test(path)) return;
  const instead = kind === 'dir' ? `dir:$HOME${path.slice(1)}` : `$HOME${path.slice(1)}`;
  throw refuse(`"${path}" is not expanded ${where}; write ${instead}`);
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
