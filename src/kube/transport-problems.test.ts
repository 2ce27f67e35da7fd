import { describe, expect, test } from 'vitest';
import { ProblemError } from '../domain/problems.ts';
import { problemOfTransport } from './transport-problems.ts';

const failure = (code: string) => Object.assign(new Error('secret words'), { code });

describe('problemOfTransport', () => {
  test.each([
    ['ECONNREFUSED', 'ClusterUnreachable', true],
    ['ENOTFOUND', 'ClusterUnreachable', true],
    ['UND_ERR_CONNECT_TIMEOUT', 'ClusterUnreachable', true],
    ['ECONNRESET', 'ClusterUnreachable', false],
    ['UND_ERR_SOCKET', 'ClusterUnreachable', false],
    ['UND_ERR_HEADERS_TIMEOUT', 'ClusterUnreachable', false],
    ['UND_ERR_BODY_TIMEOUT', 'ClusterUnreachable', false],
    ['HPE_INVALID_CONSTANT', 'ClusterUnreachable', false],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'ClusterUnreachable', false],
    ['EPROTO', 'ClusterUnreachable', false],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'ClusterUnauthorized', false],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'ClusterCertificateUntrusted', false],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'ClusterCertificateUntrusted', false],
    ['CERT_HAS_EXPIRED', 'ClusterCertificateUntrusted', false],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'ClusterCertificateUntrusted', false],
    ['UND_ERR_HEADERS_OVERFLOW', 'ClusterFailed', false],
  ])('%s is %s; surely not sent: %s', (code, problem, isNotSent) => {
    const cause = failure(code);
    expect(problemOfTransport(cause, 'https://api, get x')).toMatchObject({
      code: problem,
      message: `https://api, get x: ${code}`,
      context: { isNotSent },
      cause,
    });
  });

  test('what is no failure of the network comes back as it is', () => {
    const bug = new TypeError('oops');
    expect(problemOfTransport(bug, 'x')).toBe(bug);
    expect(problemOfTransport('text', 'x')).toBe('text');
    const problem = new ProblemError('ClusterFailed', 'y');
    expect(problemOfTransport(problem, 'x')).toBe(problem);
  });
});
