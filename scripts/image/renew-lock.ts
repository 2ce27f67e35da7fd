import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { AptSources } from './apt-sources.ts';
import type { DistributionLock, LockedFile } from './distribution-lock.ts';
import { ImageError } from './image-error.ts';
import type { Platform } from './platforms.ts';
import { outputOf, type RunProgram } from './run-program.ts';

/**
 * The lock with the newest version of each package that the machine's repositories have for each platform. apt decides, and checks the repositories' signatures; it does so in a folder
 * of its own, for the machine has neither the other platform's lists nor should it get them.
 * @throws ImageError for another release than the lock's, or a package that is missing there
 */
export async function renewLock(
  lock: DistributionLock,
  sources: AptSources,
  platforms: readonly Platform[],
  run: RunProgram,
): Promise<DistributionLock> {
  if (!sources.releases.includes(lock.release)) {
    throw new ImageError(
      `the lock is for Debian ${lock.release} and this machine's apt has ${sources.releases.join(', ') || 'no fetched lists: run apt-get update'}`,
    );
  }
  const renewed: DistributionLock = { ...lock, packages: { ...lock.packages } };
  for (const { debian, architecture } of platforms) {
    const newest = await newestVersions(Object.keys(lock.packages), debian, sources, run);
    for (const [name, file] of newest) {
      renewed.packages[name] = { purpose: '', ...renewed.packages[name], [architecture]: file };
    }
  }
  return renewed;
}

async function newestVersions(
  names: readonly string[],
  architecture: string,
  sources: AptSources,
  run: RunProgram,
): Promise<ReadonlyMap<string, LockedFile>> {
  const folder = await mkdtemp(join(tmpdir(), 'airlift-apt-'));
  try {
    const configuration = await writeAptConfiguration(folder, architecture, sources.files);
    await outputOf(run, 'apt-get', ['-c', configuration, '-qq', 'update']);
    const shown = await outputOf(run, 'apt-cache', ['-c', configuration, 'show', '--no-all-versions', ...names]);
    const found = new Map(parseControl(shown).map((each) => [each.get('Package') ?? '', toLockedFile(each)]));
    const missing = names.filter((name) => !found.has(name));
    if (missing.length > 0) {
      throw new ImageError(`the repositories have no ${missing.join(', ')} for ${architecture}`);
    }
    return found;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A configuration that holds apt to this folder, as if nothing were installed. */
async function writeAptConfiguration(
  folder: string,
  architecture: string,
  sources: readonly string[],
): Promise<string> {
  const parts = join(folder, 'sources');
  await Promise.all(
    [parts, join(folder, 'lists', 'partial'), join(folder, 'archives', 'partial')].map((path) =>
      mkdir(path, { recursive: true }),
    ),
  );
  await Promise.all(sources.map((path) => copyFile(path, join(parts, basename(path)))));
  await writeFile(join(folder, 'status'), '');
  const path = join(folder, 'apt.conf');
  const settings = {
    'APT::Architecture': architecture,
    'Dir::State': folder,
    'Dir::State::lists': join(folder, 'lists'),
    'Dir::State::status': join(folder, 'status'),
    'Dir::Cache': folder,
    'Dir::Etc::sourcelist': '/dev/null',
    'Dir::Etc::sourceparts': parts,
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} "${value}";`);
  await writeFile(
    path,
    [`#clear APT::Architectures;`, `APT::Architectures { "${architecture}"; };`, ...lines, ''].join('\n'),
  );
  return path;
}

/** Stanzas of Debian's control format, by field; continued lines keep their line breaks. */
export function parseControl(text: string): readonly ReadonlyMap<string, string>[] {
  return text
    .split(/\n{2,}/)
    .filter((stanza) => stanza.trim() !== '')
    .map((stanza) => {
      const fields = stanza.replace(/\n[ \t]/g, '\u0000').split('\n');
      return new Map(
        fields.map((field) => {
          const colon = field.indexOf(':');
          return [
            field.slice(0, colon),
            field
              .slice(colon + 1)
              .trim()
              .replaceAll('\u0000', '\n'),
          ] as const;
        }),
      );
    });
}

function toLockedFile(stanza: ReadonlyMap<string, string>): LockedFile {
  return {
    version: stanza.get('Version') ?? '',
    path: stanza.get('Filename') ?? '',
    sizeBytes: Number(stanza.get('Size')),
    sha256: stanza.get('SHA256') ?? '',
  };
}
