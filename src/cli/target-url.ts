import { isKubernetesName } from '../domain/kubernetes-name.ts';
import { ProblemError } from '../domain/problems.ts';

/** `--to`, parsed. */
export type TargetUrl =
  | LocalTargetUrl
  | { readonly cluster: ClusterUrl; readonly dir?: undefined; readonly device?: undefined };

/** What this process writes to itself. */
export type LocalTargetUrl =
  | { readonly dir: DirUrl; readonly device?: undefined; readonly cluster?: undefined }
  | { readonly device: DeviceUrl; readonly dir?: undefined; readonly cluster?: undefined };

/** Where a controller imports to. What is not told is as the kubeconfig and the machine have it. */
export interface ClusterUrl {
  readonly context: string | undefined;
  readonly namespace: string | undefined;
  /** Of the machine. */
  readonly name: string | undefined;
}

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
 * `dir:<folder>?format=qcow2|raw&compression=zstd`, `device:<path>,<path>?state=<folder>` or `kubevirt:[[<context>/]<namespace>[/<name>]]`, which `harvester:` is another word for: the
 * controller finds out by itself what it runs on.
 * @throws ProblemError `TargetKindUnsupported`
 */
export function parseTargetUrl(text: string): TargetUrl {
  const [scheme, rest] = splitOnce(text, ':');
  if (rest === undefined) throw refuse(`"${text}" is no target; for a folder of that name write dir:${text}`);
  const [place = '', query = ''] = splitOnce(rest, '?');
  if (scheme === 'dir') return { dir: parseDir(text, place, query) };
  if (scheme === 'device') return { device: parseDevice(text, place, query) };
  if (scheme === 'kubevirt' || scheme === 'harvester') return { cluster: parseCluster(text, rest) };
  throw refuse(
    `"${scheme}:" is no kind of target; there are dir:<folder>, device:<device>,...?state=<folder> and kubevirt:<namespace>`,
  );
}

/** @throws ProblemError `TargetKindUnsupported` for a cluster, which plans and measures by itself */
export function parseLocalTargetUrl(text: string): LocalTargetUrl {
  const target = parseTargetUrl(text);
  if (target.cluster === undefined) return target;
  throw refuse(`"${text}" is a cluster; \`airlift import --to ${text}\` tells all findings before the first byte`);
}

/** Two parts are namespace and name. A context may hold slashes itself, so it is whatever is in front of these. */
function parseCluster(text: string, rest: string): ClusterUrl {
  if (rest.includes('?')) throw refuse(`"${text}" has options; a cluster takes none`);
  const parts = rest.split('/');
  const [namespace, name] = parts.length === 1 ? parts : parts.slice(-2);
  const context = parts.slice(0, -2).join('/');
  for (const part of [namespace, name])
    if (part && !isKubernetesName(part))
      throw refuse(`"${part}" in "${text}" is no name for Kubernetes; use a-z, 0-9 and "-", at most 63`);
  if (parts.length > 2 && context === '')
    throw refuse(`"${text}" begins with a slash; write kubevirt:<context>/<namespace>/<name>`);
  return { context: context || undefined, namespace: namespace || undefined, name: name || undefined };
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
