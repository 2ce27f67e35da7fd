import { closeSync, openSync, writeSync } from 'node:fs';
import { ProblemError } from '../domain/problems.ts';
import { onStorageSync } from './storage-problem.ts';

/** A file of the target that a lane opened for itself. Offsets come with each write, so that lanes do not disturb each other. */
export class LaneFile implements Disposable {
  readonly #name: string;
  readonly #path: string;
  readonly #descriptor: number;

  /** @throws ProblemError `TargetNotWritable`, `TargetWriteFailed` */
  constructor({ path, name }: { readonly path: string; readonly name: string }) {
    this.#name = name;
    this.#path = path;
    this.#descriptor = onStorageSync('open', path, 'write', () => openSync(path, 'r+'));
  }

  /** Writes all of `bytes`; an interrupted call is repeated by Node itself. @throws ProblemError `TargetFull`, `TargetWriteFailed` */
  write(offset: number, bytes: Uint8Array): void {
    onStorageSync('write', this.#path, 'write', () => {
      for (let done = 0; done < bytes.length; ) {
        const written = writeSync(this.#descriptor, bytes, done, bytes.length - done, offset + done);
        if (written === 0) throw new ProblemError('TargetWriteFailed', `${this.#name} takes no bytes at ${offset}`);
        done += written;
      }
    });
  }

  /** close(2) can be the first to tell that a write over a network failed. */
  [Symbol.dispose](): void {
    onStorageSync('close', this.#path, 'write', () => closeSync(this.#descriptor));
  }
}
