import { type ProblemCode, ProblemError } from '../../domain/problems.ts';

/** Header values by lower-case name, as undici gives them. */
export type HttpHeaders = Readonly<Record<string, string | string[] | undefined>>;

export function headerOf(headers: HttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** The problem that an answer other than 200, 206 and 416 is. */
export function problemOfStatus(status: number, headers: HttpHeaders, shown: string, nowMs: number): ProblemError {
  const code = codeOfStatus(status);
  const retryAfterMs = code === 'SourceBusy' ? parseRetryAfter(headerOf(headers, 'retry-after'), nowMs) : undefined;
  return new ProblemError(code, `${shown} answered with status ${status}`, { context: { status, retryAfterMs } });
}

function codeOfStatus(status: number): ProblemCode {
  if (status === 401) return 'SourceAuthRequired';
  if (status === 403) return 'SourceForbidden';
  if (status === 404 || status === 410) return 'SourceNotFound';
  if (status === 408 || status === 429 || status === 503) return 'SourceBusy';
  return 'SourceFailed';
}

/** RFC 9110 10.2.3: seconds or a date. Nothing for what cannot be understood. */
function parseRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - nowMs;
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

const CODES: Readonly<Record<string, ProblemCode>> = {
  ECONNREFUSED: 'SourceUnreachable',
  ENOTFOUND: 'SourceUnreachable',
  EAI_AGAIN: 'SourceUnreachable',
  EHOSTUNREACH: 'SourceUnreachable',
  ENETUNREACH: 'SourceUnreachable',
  EADDRNOTAVAIL: 'SourceUnreachable',
  ETIMEDOUT: 'SourceUnreachable',
  UND_ERR_CONNECT_TIMEOUT: 'SourceUnreachable',
  UND_ERR_HEADERS_TIMEOUT: 'SourceStalled',
  UND_ERR_BODY_TIMEOUT: 'SourceStalled',
  ECONNRESET: 'SourceClosedEarly',
  EPIPE: 'SourceClosedEarly',
  UND_ERR_SOCKET: 'SourceClosedEarly',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'SourceClosedEarly',
  UND_ERR_HEADERS_OVERFLOW: 'SourceFailed',
};

/** Why OpenSSL and Node refuse a certificate (https://nodejs.org/api/tls.html#x509-certificate-error-codes). */
const CERTIFICATE =
  /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_|HOSTNAME_|PATH_LENGTH|ERR_TLS_CERT|CRL_|ERROR_IN_C)/;

/**
 * The problem behind a failed request or body. What is no failure of the network is a bug and comes back unchanged.
 * @param shown the address, for the detail
 */
export function problemOfTransport(cause: unknown, shown: string): unknown {
  if (!(cause instanceof Error) || cause instanceof ProblemError) return cause;
  const code = 'code' in cause ? String(cause.code) : '';
  if (CERTIFICATE.test(code)) {
    return new ProblemError('SourceCertificateUntrusted', `${shown}: ${code}`, { cause });
  }
  // HPE_: not HTTP at all, or broken in the middle. ERR_SSL_, EPROTO: the other side does not speak TLS as we do.
  if (code.startsWith('HPE_'))
    return new ProblemError('SourceFailed', `${shown} does not answer in HTTP: ${code}`, { cause });
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO') {
    return new ProblemError('SourceUnreachable', `${shown} does not speak TLS: ${code}`, { cause });
  }
  const known = CODES[code];
  return known === undefined ? cause : new ProblemError(known, `${shown}: ${code}`, { cause });
}
