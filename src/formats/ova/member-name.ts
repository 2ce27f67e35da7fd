import { ProblemError } from '../../domain/problems.ts';

/** What file systems bear as a path. */
const MAX_NAME_CHARACTERS = 4096;

/**
 * Checks the name of a member and returns its last part: directories in an OVA carry no meaning.
 * @throws ProblemError `ArchiveMemberUnsafe` for absolute names, `..`, backslashes, drive letters and control characters
 */
export function safeMemberName(name: string): string {
  const last = safeSegments(name).at(-1);
  if (last === undefined) throw unsafe(name, 'has no file name');
  return last;
}

/**
 * Names under which the file of an href may lie, best first: as written, then with percent escapes resolved, since writers differ in whether an href is
 * a URI. All are safe relative paths with `/` between the parts.
 * @throws ProblemError `ArchiveMemberUnsafe`, `OvfUnsupported` for a file that lies on a server
 */
export function hrefNames(href: string): readonly string[] {
  if (/^file:/i.test(href)) throw unsafe(href, 'is a file address');
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(href)) {
    throw new ProblemError(
      'OvfUnsupported',
      `the file ${quote(href)} lies on a server; only files beside the descriptor are read`,
    );
  }
  const written = safePath(href);
  const decoded = decodePercent(href);
  if (decoded === undefined || decoded === href) return [written];
  return [written, safePath(decoded)];
}

function safePath(name: string): string {
  safeMemberName(name);
  return safeSegments(name).join('/');
}

function safeSegments(name: string): string[] {
  if (name.length > MAX_NAME_CHARACTERS) throw unsafe(name, `has ${name.length} characters`);
  if (/^\//.test(name)) throw unsafe(name, 'is absolute');
  if (/^[a-z]:/i.test(name)) throw unsafe(name, 'begins with a drive letter');
  if (name.includes('\\')) throw unsafe(name, 'has a backslash');
  if (hasControlCharacter(name)) throw unsafe(name, 'has a control character');
  if (/\/$/.test(name)) throw unsafe(name, 'names a folder');
  const segments = name.split('/').filter((segment) => segment !== '' && segment !== '.');
  if (segments.includes('..')) throw unsafe(name, 'leaves the folder');
  return segments;
}

function hasControlCharacter(name: string): boolean {
  for (let index = 0; index < name.length; index += 1) {
    const code = name.charCodeAt(index);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}

function decodePercent(href: string): string | undefined {
  try {
    return decodeURIComponent(href);
  } catch {
    return undefined; // a name with a bare % is not a URI, and so means itself
  }
}

function unsafe(name: string, why: string): ProblemError {
  return new ProblemError('ArchiveMemberUnsafe', `the name ${quote(name)} ${why}`);
}

function quote(name: string): string {
  return JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}...` : name);
}
