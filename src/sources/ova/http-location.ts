import { ProblemError } from '../../domain/problems.ts';

/** An address taken apart, so that no secret stays in what is shown or sent on. */
export interface HttpLocation {
  /** Without user, password and fragment. */
  readonly url: URL;
  readonly user?: string;
  readonly password?: string;
  /** For messages and reports. */
  readonly shown: string;
}

/** @throws ProblemError `SourceKindUnsupported` */
export function parseHttpLocation(text: string): HttpLocation {
  const url = URL.parse(text);
  // The text may hold a password, so a bad one is not repeated.
  if (!url) throw new ProblemError('SourceKindUnsupported', 'the address is not a valid URL');
  if (!isHttp(url)) throw new ProblemError('SourceKindUnsupported', `${url.protocol} addresses are not supported`);
  const { username, password } = url;
  url.username = '';
  url.password = '';
  url.hash = '';
  return {
    url,
    shown: showUrl(url),
    ...(username ? { user: decode(username) } : {}),
    ...(password ? { password: decode(password) } : {}),
  };
}

export function isHttp(url: URL): boolean {
  return url.protocol === 'http:' || url.protocol === 'https:';
}

/** The query is left out: in presigned addresses it is the credential. */
export function showUrl(url: URL): string {
  return `${url.origin}${url.pathname}${url.search ? '?...' : ''}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a stray % that was meant as such
  }
}
