import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Unpacks an OCI archive into a bundle that runc starts, once. */
export function unpackImage(folder: string, archive: string, name: string): string {
  const layout = join(folder, `layout-${name}`);
  const bundle = join(folder, `bundle-${name}`);
  if (existsSync(bundle)) return bundle;
  mkdirSync(layout);
  execFileSync('tar', ['-xf', archive, '-C', layout]);
  execFileSync('umoci', ['unpack', '--image', `${layout}:0.1.0`, bundle], { stdio: 'pipe' });
  return bundle;
}

export interface ContainerResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

let containers = 0;

/**
 * Runs the image under what Pod Security "restricted" demands and more: its own user, no capability, no new privileges, a read-only root, and a network namespace in which there is
 * nothing. `mounts` are folders of the host by their place in the container.
 * @param entrypoint instead of the image's own
 */
export function runInImage(
  bundle: string,
  args: readonly string[],
  mounts: Readonly<Record<string, string>>,
  entrypoint?: readonly string[],
): ContainerResult {
  const original = join(bundle, 'config.original.json');
  const path = join(bundle, 'config.json');
  if (!existsSync(original)) writeFileSync(original, readFileSync(path));
  const config = JSON.parse(readFileSync(original, 'utf8'));
  // umoci wrote entry point and default arguments in a row.
  const ownEntrypoint = config.process.args.slice(0, -1);
  config.process = {
    ...config.process,
    terminal: false,
    args: [...(entrypoint ?? ownEntrypoint), ...args],
    capabilities: {},
    noNewPrivileges: true,
  };
  config.root.readonly = true;
  config.mounts.push(
    ...Object.entries(mounts).map(([destination, source]) => ({
      destination,
      source,
      type: 'bind',
      options: ['bind', 'rw'],
    })),
  );
  writeFileSync(path, JSON.stringify(config));
  containers += 1;
  const { status, stdout, stderr } = spawnSync(
    'runc',
    ['--root', join(bundle, 'runc'), 'run', '--bundle', bundle, `airlift-image-${process.pid}-${containers}`],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 120_000 },
  );
  return { status, stdout, stderr };
}
