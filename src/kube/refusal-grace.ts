import { isProblem } from '../domain/problems.ts';

const REFUSALS = [
  'ClusterForbidden',
  'ClusterKindMissing',
  'ClusterUnauthorized',
  'ClusterCertificateUntrusted',
] as const;
const GRACE_MS = 60_000;

/**
 * Whether a refusal is the server's last word. An API server that starts refuses for moments what it allows otherwise, because it has not read the roles and the kinds yet; so what
 * worked before has to be refused for a minute on end.
 */
export class RefusalGrace {
  readonly #monotonicMs: () => number;
  #hasWorked = false;
  #refusedSinceMs: number | undefined;

  constructor(clock: { monotonicMs(): number }) {
    this.#monotonicMs = () => clock.monotonicMs();
  }

  worked(): void {
    this.#hasWorked = true;
    this.#refusedSinceMs = undefined;
  }

  /** Whether trying again is in vain. */
  isFinal(error: unknown): boolean {
    if (!isProblem(error, ...REFUSALS)) {
      this.#refusedSinceMs = undefined;
      return false;
    }
    const nowMs = this.#monotonicMs();
    this.#refusedSinceMs ??= nowMs;
    return !this.#hasWorked || nowMs - this.#refusedSinceMs >= GRACE_MS;
  }
}
