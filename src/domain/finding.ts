import type { ProblemCode } from './problems.ts';

/** The answer to a preflight check: a blocker stops the import before it starts, a warning or a note is told. */
export interface Finding {
  readonly severity: 'blocker' | 'warning' | 'note';
  readonly code: ProblemCode;
  /** One sentence that names the object and the numbers. The remedy comes from the catalogue. */
  readonly message: string;
  /** What it is about, such as a disk's or NIC's id. */
  readonly subject?: string;
}

export function isBlocker(finding: Finding): boolean {
  return finding.severity === 'blocker';
}
