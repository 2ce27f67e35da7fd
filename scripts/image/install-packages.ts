import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ImageError } from './image-error.ts';
import type { Platform } from './platforms.ts';
import { outputOf, type RunProgram } from './run-program.ts';

const installedPackage = z.object({
  version: z.string(),
  integrity: z.string(),
  license: z.string().optional(),
});

export type InstalledPackage = z.infer<typeof installedPackage>;

/** What npm installed, by path below `folder`, such as `node_modules/koffi`. */
export interface InstalledPackages {
  readonly folder: string;
  readonly packages: ReadonlyMap<string, InstalledPackage>;
  /** Path below `folder` of the pinned Node for the platform. */
  readonly nodePath: string;
}

/**
 * Has npm install what the product runs with into an empty folder, for a platform that need not be this one: versions and digests from the lock file, nothing of what lies in the
 * checkout's own node_modules, no install scripts.
 */
export async function installPackages(
  root: string,
  folder: string,
  platform: Platform,
  run: RunProgram,
): Promise<InstalledPackages> {
  await mkdir(folder, { recursive: true });
  await Promise.all(
    ['package.json', 'package-lock.json'].map((name) => copyFile(join(root, name), join(folder, name))),
  );
  const { npm_execpath: npmScript, ...environment } = process.env;
  const [program, ...first] = npmScript === undefined ? ['npm'] : [process.execPath, npmScript];
  const target = ['--os=linux', '--libc=glibc', `--cpu=${platform.npm}`];
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
  await outputOf(run, program ?? 'npm', [...first, 'ci', '--omit=dev', '--ignore-scripts', ...target, ...quiet], {
    cwd: folder,
    env: withoutNpm(environment),
  });
  const recorded = JSON.parse(await readFile(join(folder, 'node_modules', '.package-lock.json'), 'utf8'));
  const { packages } = z.object({ packages: z.record(z.string(), installedPackage) }).parse(recorded);
  const nodePath = `node_modules/node-linux-${platform.npm}`;
  if (packages[nodePath] === undefined)
    throw new ImageError(`npm did not install ${nodePath}; run npm ci and try again`);
  return { folder, packages: new Map(Object.entries(packages)), nodePath };
}

/** npm hands its own settings on to what it starts, and another npm would take them for the user's. */
function withoutNpm(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !/^npm_(?!config_(registry|cache|userconfig)$)/i.test(name)),
  );
}
