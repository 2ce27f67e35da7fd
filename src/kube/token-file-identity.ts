import { readFile } from 'node:fs/promises';
import { ProblemError } from '../domain/problems.ts';
import type { Clock } from '../ports/clock.ts';
import type { Credentials, Identity } from './api-access.ts';

/** A kubelet renews a token when a fifth of its hour is left; looking every minute is soon enough (client-go does too). */
const LOOK_AGAIN_MS = 60_000;

/** A token in a file that somebody else renews: read again every minute, and at once after the server refused it. */
export class TokenFileIdentity implements Identity {
  readonly #path: string;
  readonly #clock: Clock;
  #token: { readonly value: string; readonly readAtMs: number } | undefined;
  #refused: string | undefined;

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  async current(): Promise<Credentials> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#token === undefined || nowMs - this.#token.readAtMs >= LOOK_AGAIN_MS) {
      this.#token = { value: await this.#read(), readAtMs: nowMs };
    }
    return { headers: { authorization: `Bearer ${this.#token.value}` } };
  }

  refuse(): boolean {
    const refused = this.#token?.value;
    this.#token = undefined;
    const isNew = refused !== this.#refused;
    this.#refused = refused;
    return isNew;
  }

  async #read(): Promise<string> {
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch (cause) {
      // A token that was good before may still be: the file is replaced, and for a moment it may not be there.
      if (this.#token !== undefined) return this.#token.value;
      throw new ProblemError('KubeCredentialsFailed', `the token file ${this.#path} cannot be read`, { cause });
    }
    const token = text.trim();
    if (token === '') throw new ProblemError('KubeCredentialsFailed', `the token file ${this.#path} is empty`);
    return token;
  }
}
