import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from './cache-folder.ts';
import { ensureGo, goEnvironment } from './go-toolchain.ts';

const run = promisify(execFile);

export interface GoProgram {
  /** Names its folder in the cache, and the program in what is printed. */
  readonly name: string;
  /** Holds go.mod, go.sum and the sources that are ours. */
  readonly folder: string;
  /** One program each, named after its last part; the folder's own package (`.`) becomes `name`. */
  readonly packages: readonly string[];
  readonly ldflags?: string;
  /** Said before it begins, such as `about nine minutes`. */
  readonly duration: string;
}

/**
 * The folder holding the programs, built on first use and printed how long that took. Kept under AIRLIFT_CACHE or ~/.cache/airlift by a hash of sources, module versions, flags and
 * Go's version. Two processes that want the same build it once: the second one waits. Go's proxy and flags are those of the environment.
 */
export async function buildGoPrograms(program: GoProgram): Promise<string> {
  const go = await ensureGo();
  const place = cacheFolder(program.name, await hashOf(program, go));
  if (existsSync(place)) return place;

  await mkdir(dirname(place), { recursive: true });
  await using _lock = await lockFile(`${place}.lock`);
  if (existsSync(place)) return place;
  const unfinished = await mkdtemp(`${place}.partial-`);
  const started = performance.now();
  console.info(`building ${program.name} once, which takes ${program.duration}`);
  try {
    const { packages, folder, name, ldflags = '-s -w' } = program;
    const output = packages.length === 1 && packages[0] === '.' ? join(unfinished, name) : `${unfinished}/`;
    await run(go, ['build', '-trimpath', '-ldflags', ldflags, '-o', output, ...packages], {
      cwd: folder,
      env: goEnvironment(),
      maxBuffer: 64 * 1024 * 1024,
    });
    await rename(unfinished, place);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  console.info(`built ${program.name} in ${Math.round((performance.now() - started) / 1000)} s`);
  return place;
}

/**
 * The folder of a published Go module's own files, fetched by the Go command on first use. The go.sum in `checkedBy` says what it must be: of some versions the public checksum database
 * knows nothing.
 */
export async function fetchGoModule(path: string, version: string, checkedBy: string): Promise<string> {
  const go = await ensureGo();
  const { stdout } = await run(go, ['mod', 'download', '-json', `${path}@${version}`], {
    cwd: checkedBy,
    env: goEnvironment(),
  });
  return (JSON.parse(stdout) as { readonly Dir: string }).Dir;
}

/**
 * Held by a process of its own that ends with ours, so that a killed build never leaves a lock.
 * Waits as long as another one holds it.
 */
export async function lockFile(path: string): Promise<AsyncDisposable> {
  await mkdir(dirname(path), { recursive: true });
  // `read` ends when our side of the pipe closes, which it does however we end.
  const holder = spawn('flock', [path, 'sh', '-c', 'echo held; read -r _ || true'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => holder.once('close', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    holder.once('error', reject);
    holder.once('close', (code) => reject(new Error(`flock ${path} ended with ${code}`)));
    holder.stdout.once('data', () => resolve());
  });
  return {
    async [Symbol.asyncDispose]() {
      holder.stdin.end();
      await ended;
    },
  };
}

async function hashOf({ name, folder, packages, ldflags = '' }: GoProgram, go: string): Promise<string> {
  const { stdout: goVersion } = await run(go, ['version'], { cwd: folder, env: goEnvironment() });
  const hash = createHash('sha256').update(JSON.stringify([goVersion, name, packages, ldflags]));
  const sources = (await readdir(folder)).filter((file) => /^go\.(mod|sum)$|\.go$/.test(file)).sort();
  for (const file of sources) hash.update(`${basename(file)}\n`).update(await readFile(join(folder, file)));
  return hash.digest('hex').slice(0, 16);
}
