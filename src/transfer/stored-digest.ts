import { createHash, type Hash } from 'node:crypto';
import type { ExpectedDigest } from '../ports/image-file.ts';

/** A running hash. `state` is absent where the implementation cannot store itself. */
export interface RunningHash {
  update(bytes: Uint8Array): void;
  /** Everything needed to go on in another process; undefined when this hash cannot. */
  saveState?(): Uint8Array;
  /** Lower-case hex. Ends the hash. */
  finish(): string;
}

export type HashAlgorithm = ExpectedDigest['algorithm'];

/** Makes hashes. `restore` is absent where states cannot be stored; a resume then reads the source again from the start. */
export interface HashFactory {
  readonly implementation: string;
  create(algorithm: HashAlgorithm): RunningHash;
  restore?(algorithm: HashAlgorithm, state: Uint8Array): RunningHash;
}

/** Node's own hashes: fast, but their state cannot leave the process. */
export const nodeHashes: HashFactory = {
  implementation: 'node:crypto',
  create(algorithm) {
    const hash: Hash = createHash(algorithm);
    return { update: (bytes) => void hash.update(bytes), finish: () => hash.digest('hex') };
  },
};

export interface StoredDigestState {
  /** Bytes of the stored file hashed so far. */
  readonly position: number;
  /** Hex digests of the parts already complete, per part one for each of its algorithms. */
  readonly finished: readonly (readonly string[])[];
  /** Base64 states of the running part's hashes; absent when they cannot be stored. */
  readonly states?: readonly string[] | undefined;
}

export interface StoredPart {
  readonly name: string;
  /** Infinity for the last part of a file of unknown length. */
  readonly storedBytes: number;
  readonly algorithms: readonly HashAlgorithm[];
}

/**
 * Computes the manifest's digests of one file while its stored bytes pass in order. Bytes before `position` are ignored (they were hashed by an earlier run), so a
 * resumed stream may begin anywhere at or before it.
 */
export class StoredDigest {
  readonly #parts: readonly StoredPart[];
  readonly #hashes: HashFactory;
  readonly #finished: (readonly string[])[] = [];
  #running: RunningHash[] = [];
  #position = 0;
  #partEnd = 0;

  constructor(parts: readonly StoredPart[], hashes: HashFactory, from?: StoredDigestState) {
    this.#parts = parts;
    this.#hashes = hashes;
    const restored = from !== undefined && this.#restore(from);
    if (!restored) {
      this.#finished.length = 0;
      this.#position = 0;
      this.#partEnd = 0;
      this.#begin();
    }
  }

  /** Offset in the stored file of the next byte to be hashed. */
  get position(): number {
    return this.#position;
  }

  update(storedOffset: number, bytes: Uint8Array): void {
    if (storedOffset > this.#position) throw new Error(`digest at ${this.#position} cannot skip to ${storedOffset}`);
    let rest = bytes.subarray(Math.min(bytes.length, this.#position - storedOffset));
    while (rest.length > 0 && this.#finished.length < this.#parts.length) {
      const part = rest.subarray(0, Math.min(rest.length, this.#partEnd - this.#position));
      for (const hash of this.#running) hash.update(part);
      this.#position += part.length;
      rest = rest.subarray(part.length);
      if (this.#position === this.#partEnd) this.#closePart();
    }
  }

  /** A record from which another process can go on; undefined while the hashes cannot be stored and no part is complete. */
  saveState(): StoredDigestState | undefined {
    const states = this.#running.map((hash) => hash.saveState?.());
    if (states.some((state) => state === undefined)) return undefined;
    return {
      position: this.#position,
      finished: this.#finished,
      states: states.map((state) => Buffer.from(state ?? new Uint8Array(0)).toString('base64')),
    };
  }

  /** Hex digests per part, one for each of the part's algorithms. Call after the last byte. */
  finish(): readonly (readonly string[])[] {
    // Only a last part of unknown length is still open here; a shorter file than told is noticed by its digest.
    while (this.#finished.length < this.#parts.length) this.#closePart();
    return this.#finished;
  }

  #begin(): void {
    const part = this.#parts[this.#finished.length];
    this.#running = part?.algorithms.map((algorithm) => this.#hashes.create(algorithm)) ?? [];
    this.#partEnd += part?.storedBytes ?? 0;
    if (part?.storedBytes === 0) this.#closePart();
  }

  #closePart(): void {
    this.#finished.push(this.#running.map((hash) => hash.finish()));
    this.#begin();
  }

  #restore(from: StoredDigestState): boolean {
    const restore = this.#hashes.restore;
    if (from.finished.length > this.#parts.length) return false;
    this.#finished.push(...from.finished);
    this.#partEnd = this.#parts.slice(0, from.finished.length + 1).reduce((sum, part) => sum + part.storedBytes, 0);
    this.#position = from.position;
    const part = this.#parts[from.finished.length];
    if (part === undefined) {
      this.#running = [];
      return true;
    }
    const states = from.states;
    if (restore === undefined || states === undefined || states.length !== part.algorithms.length) return false;
    this.#running = part.algorithms.map((algorithm, index) =>
      restore(algorithm, Buffer.from(states[index] ?? '', 'base64')),
    );
    return true;
  }
}
