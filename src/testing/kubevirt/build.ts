import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const folder = import.meta.dirname;

/** The Go command: on the PATH, else where Go's own installer puts it; undefined when there is none. */
export function findGo(): string | undefined {
  return ['go', '/usr/local/go/bin/go'].find((each) => {
    try {
      execFileSync(each, ['version'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * Path of the judge (main.go beside this file), built on first use: two to three minutes with Go's cache cold. Kept outside the work tree under AIRLIFT_CACHE or
 * ~/.cache/airlift, by a hash of its sources, module versions and Go's version. Proxy and flags are those of the environment.
 */
export async function buildKubevirtJudge(): Promise<string> {
  const go = findGo();
  if (go === undefined) throw new Error('Go is missing; scripts/prepare-system.ts installs it');
  const { stdout: goVersion } = await run(go, ['version']);
  const hash = createHash('sha256').update(goVersion);
  for (const file of ['go.mod', 'go.sum', 'main.go']) hash.update(await readFile(join(folder, file)));

  const cache = process.env.AIRLIFT_CACHE ?? join(homedir(), '.cache', 'airlift');
  const place = join(cache, 'kubevirt-judge', hash.digest('hex').slice(0, 16));
  const judge = join(place, 'judge');
  if (await exists(judge)) return judge;

  await mkdir(place, { recursive: true });
  const unfinished = join(place, `judge.${process.pid}.partial`);
  const started = performance.now();
  console.info('building the KubeVirt judge; this takes minutes once');
  try {
    await run(go, ['build', '-trimpath', '-ldflags', '-s -w', '-o', unfinished, '.'], {
      cwd: folder,
      env: { ...process.env, CGO_ENABLED: '0' },
      maxBuffer: 64 * 1024 * 1024,
    });
    await rename(unfinished, judge);
  } finally {
    await rm(unfinished, { force: true });
  }
  console.info(`built the KubeVirt judge in ${Math.round((performance.now() - started) / 1000)} s`);
  return judge;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
