import { ProblemError } from '../domain/problems.ts';
import type { Clock } from '../ports/clock.ts';

/** The kubelet replaces a token when a fifth of its life is left, at the least minutes before its end. */
const KEPT_MS = 20_000;

/** The worker's token, read again as the kubelet replaces it. */
export class TokenFile {
  readonly #path: string;
  readonly #read: (path: string) => Promise<string>;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #kept: { readonly token: string; readonly endsMs: number } | undefined;

  constructor(path: string, read: (path: string) => Promise<string>, clock: Pick<Clock, 'monotonicMs'>) {
    this.#path = path;
    this.#read = read;
    this.#clock = clock;
  }

  /** As the header wants it. @throws ProblemError `WorkerEnvironmentInvalid` */
  async authorization(): Promise<string> {
    const now = this.#clock.monotonicMs();
    if (this.#kept === undefined || this.#kept.endsMs <= now)
      this.#kept = { token: await this.#readToken(), endsMs: now + KEPT_MS };
    return `Bearer ${this.#kept.token}`;
  }

  /** It was refused: the next call reads it again. */
  forget(): void {
    this.#kept = undefined;
  }

  async #readToken(): Promise<string> {
    try {
      const token = (await this.#read(this.#path)).trim();
      if (token === '') throw new Error('it is empty');
      return token;
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new ProblemError('WorkerEnvironmentInvalid', `the token in ${this.#path} cannot be read: ${why}`, {
        cause,
      });
    }
  }
}
