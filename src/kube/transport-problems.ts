import { type ProblemCode, ProblemError } from '../domain/problems.ts';

/** Nothing reached the server, so that doing it again cannot do it twice. */
const NOT_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
]);
const BROKEN = new Set([
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'UND_ERR_SOCKET',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  // The connection was given up here, because the identity of this client or of the server changed.
  'UND_ERR_CLOSED',
  'UND_ERR_DESTROYED',
]);
/** Why OpenSSL and Node refuse a certificate (https://nodejs.org/api/tls.html#x509-certificate-error-codes). */
const CERTIFICATE =
  /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_|HOSTNAME_|PATH_LENGTH|ERR_TLS_CERT|CRL_|ERROR_IN_C)/;

/**
 * The problem behind a failed request or a body that broke off. What is no failure of the network is a bug and comes back unchanged.
 * @param shown the address, for the detail
 */
export function problemOfTransport(cause: unknown, shown: string): unknown {
  if (!(cause instanceof Error) || cause instanceof ProblemError) return cause;
  const code = 'code' in cause ? String(cause.code) : '';
  const problem = judge(code);
  if (problem === undefined) return cause;
  return new ProblemError(problem, `${shown}: ${code}`, {
    cause,
    context: { isNotSent: NOT_SENT.has(code), isSilence: code === 'UND_ERR_BODY_TIMEOUT' },
  });
}

function judge(code: string): ProblemCode | undefined {
  if (NOT_SENT.has(code) || BROKEN.has(code)) return 'ClusterUnreachable';
  if (CERTIFICATE.test(code)) return 'ClusterCertificateUntrusted';
  // The server wants a certificate from us, or does not like ours.
  if (/^ERR_SSL_TLS.*ALERT_(CERTIFICATE|BAD_CERTIFICATE|UNKNOWN_CA|ACCESS)/.test(code)) return 'ClusterUnauthorized';
  // HPE_: not HTTP at all, or broken in the middle. The others: the other side does not speak TLS as we do.
  if (code.startsWith('HPE_') || code.startsWith('ERR_SSL_') || code === 'EPROTO') return 'ClusterUnreachable';
  return code === 'UND_ERR_HEADERS_OVERFLOW' ? 'ClusterFailed' : undefined;
}
