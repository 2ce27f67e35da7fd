import { ImageError } from './image-error.ts';
import { outputOf, type RunProgram } from './run-program.ts';

/** Where this machine's apt gets Debian's packages from. */
export interface AptSources {
  /** Addresses of repositories, each ending with a slash. */
  readonly repositories: readonly string[];
  /** Files below /etc/apt that name them. */
  readonly files: readonly string[];
  /** Code names of the releases, where the lists were fetched before. */
  readonly releases: readonly string[];
}

const FIELDS = ['REPO_URI', 'ORIGIN', 'CODENAME', 'SOURCESENTRY'];

/**
 * Reads the machine's configuration of apt, so that mirrors and proxies of the site are used and none is written down here. Sources of others than Debian are left out where apt knows
 * whose they are, which it does after an `apt-get update`.
 * @throws ImageError where there is none
 */
export async function readAptSources(run: RunProgram): Promise<AptSources> {
  const format = FIELDS.map((field) => `$(${field})`).join('\t');
  const listed = await outputOf(run, 'apt-get', ['indextargets', '--format', format, 'Created-By: Packages']);
  const rows = listed
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t').map((value) => (value.startsWith('$(') ? undefined : value)))
    .filter(([, origin]) => origin === undefined || origin === 'Debian');
  const unique = (values: readonly (string | undefined)[]) =>
    [...new Set(values.filter((value) => value !== undefined && value !== ''))] as string[];
  const repositories = unique(rows.map(([uri]) => uri));
  if (repositories.length === 0) {
    throw new ImageError("this machine's apt has no repository of Debian; add one below /etc/apt/sources.list.d");
  }
  return {
    repositories,
    files: unique(rows.map(([, , , entry]) => entry?.replace(/:\d+$/, ''))),
    releases: unique(rows.map(([, , codename]) => codename?.replace(/-(updates|security|backports)$/, ''))),
  };
}
