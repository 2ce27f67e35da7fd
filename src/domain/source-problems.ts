import type { ProblemCode } from './problems.ts';

const CURED_BY_SOURCE: ReadonlySet<ProblemCode> = new Set([
  'SourceNotFound',
  'SourceAuthRequired',
  'SourceForbidden',
  'SourceRedirectLoop',
  'SourceRedirectRefused',
  'SourceCertificateUntrusted',
  'SourceObjectMissing',
  'SourceFieldInvalid',
  'SecretMissing',
  'SecretKeyMissing',
  'SecretValueInvalid',
  'SecretNamespaceRefused',
]);

/** Whether the source may answer otherwise once somebody has seen to it, or to its Secret. */
export function isSourceProblem(code: ProblemCode): boolean {
  return CURED_BY_SOURCE.has(code);
}
