import { ProblemError } from '../../domain/problems.ts';

/** Bounds a file that is read as a whole. @throws ProblemError `ManifestMalformed` for a manifest, `SignatureInvalid` for a certificate, else `OvfTooLarge` */
export function requireSmall(name: string, sizeBytes: number, maxBytes: number): void {
  if (sizeBytes <= maxBytes) return;
  const lower = name.toLowerCase();
  const other = lower.endsWith('.cert') ? 'SignatureInvalid' : 'OvfTooLarge';
  const code = lower.endsWith('.mf') ? 'ManifestMalformed' : other;
  throw new ProblemError(code, `${name} has ${sizeBytes} bytes; at most ${maxBytes} are read`);
}
