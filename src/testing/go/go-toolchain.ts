import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheFolder } from './cache-folder.ts';
import { unpackZip } from './unpack-zip.ts';

/** From here on a Go command fetches the version that a go.mod asks for by itself. */
const OLDEST_MINOR = 21;
const FETCHED_VERSION = '1.26.8';
/** SHA-256 of the module zips; each was compared once with the checksum database's h1 for that version. */
const ZIP_SHA256: Readonly<Record<string, string>> = {
  'linux-amd64': '30c2b1bf7dcc88d3eb0a1364e47ddd9128edb3110a30e8a0ef61cd5856b31de7',
  'linux-arm64': '02b36b6787b3ac767668f630e2998df45a3b1f9ffee08d1bf3ef6487cd658d99',
};

/** The Go command: on the PATH, else where Go's own installer or `ensureGo` puts it; undefined when there is none that is new enough. */
export function findGo(): string | undefined {
  return ['go', '/usr/local/go/bin/go', fetchedGo()].find((each) => isNewEnough(versionOf(each)));
}

/** The same, fetched from the Go module proxy where there is none: 72 MB, once. */
export async function ensureGo(): Promise<string> {
  const found = findGo();
  if (found !== undefined) return found;
  const platform = goPlatform();
  const wanted = ZIP_SHA256[platform];
  if (wanted === undefined) throw new Error(`install Go ${FETCHED_VERSION} or newer: none is fetched for ${platform}`);

  const proxy = (process.env.GOPROXY ?? '').split(/[,|]/).find((each) => each.startsWith('http'));
  const url = `${proxy ?? 'https://proxy.golang.org'}/golang.org/toolchain/@v/v0.0.1-go${FETCHED_VERSION}.${platform}.zip`;
  console.info(`fetching Go ${FETCHED_VERSION} from ${url}`);
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  const zip = Buffer.from(await response.arrayBuffer());
  const digest = createHash('sha256').update(zip).digest('hex');
  if (digest !== wanted) throw new Error(`${url} has the SHA-256 ${digest}, not ${wanted}`);

  const place = dirname(dirname(fetchedGo()));
  await mkdir(dirname(place), { recursive: true });
  const unfinished = await mkdtemp(`${place}.partial-`);
  try {
    await unpackZip(zip, unfinished, { strip: 2 });
    for (const programs of ['bin', join('pkg', 'tool', platform.replace('-', '_'))]) {
      for (const name of await readdir(join(unfinished, programs)))
        await chmod(join(unfinished, programs, name), 0o755);
    }
    if (!existsSync(place)) await rename(unfinished, place);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return fetchedGo();
}

/** What a build needs in its environment: static programs, and the Go version that the module asks for even where the machine says `local`. */
export function goEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'auto' };
}

function fetchedGo(): string {
  return cacheFolder('go', FETCHED_VERSION, 'bin', 'go');
}

function goPlatform(): string {
  return `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`;
}

function versionOf(go: string): string | undefined {
  try {
    return execFileSync(go, ['env', 'GOVERSION'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}

function isNewEnough(version: string | undefined): boolean {
  const [, minor] = /^go1\.(\d+)/.exec(version ?? '') ?? [];
  return Number(minor) >= OLDEST_MINOR;
}
