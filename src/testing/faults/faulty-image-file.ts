import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Clock } from '../../ports/clock.ts';
import type { ImageFile, StreamOptions } from '../../ports/image-file.ts';
import { type ActiveFaults, type FaultPlace, withFlippedBit } from './fault-plan.ts';

/**
 * What may go wrong with a file of the source. Bytes are those of the file; an operation is one `read`, one look at the head, or one piece of a stream.
 * - `drop`: the bytes before the place come, then the connection is gone. `fail`: the storage cannot read it (EIO).
 * - `stall`: nothing comes for `ms` of the clock, or until the call is aborted.
 * - `short`: fewer bytes than asked for, without a word; a stream ends there. `flip`: one bit is turned.
 * - `length`: the file says that it has so many bytes more (or, negative, fewer) than it has. From the beginning on, whatever the place.
 * - `change`: from the place on, the file says that it is another one, also when it is opened again.
 */
export type ImageFault =
  | { readonly does: 'drop' | 'fail' | 'short' | 'flip' | 'change' }
  | { readonly does: 'stall'; readonly ms?: number }
  | { readonly does: 'length'; readonly bytes: number };

export interface FaultyImageParts {
  readonly faults: ActiveFaults<ImageFault>;
  readonly clock: Clock;
  /** Number of this file's first byte, for plans that count through several files; 0 unless told. */
  readonly countsFrom?: number;
}

/**
 * The same file, spoilt as planned. It has no `origin`, so that all reading passes here, and no `dataExtents`. For files whose stream is what is stored: `observe` is shown the
 * spoilt bytes.
 */
export function faultyImageFile(file: ImageFile, parts: FaultyImageParts): ImageFile {
  return new FaultyImageFile(file, parts);
}

class FaultyImageFile implements ImageFile {
  readonly name: string;
  readonly identity: string;
  readonly sizeBytes?: number;
  readonly expectedDigests: ImageFile['expectedDigests'];
  readonly read?: NonNullable<ImageFile['read']>;
  readonly #file: ImageFile;
  readonly #parts: FaultyImageParts;
  readonly #countsFrom: number;
  #operations = 0;

  constructor(file: ImageFile, parts: FaultyImageParts) {
    this.#file = file;
    this.#parts = parts;
    this.#countsFrom = parts.countsFrom ?? 0;
    this.name = file.name;
    this.identity = this.#identityNow(file.identity);
    this.expectedDigests = file.expectedDigests;
    if (file.sizeBytes !== undefined) this.sizeBytes = file.sizeBytes + lengthError(parts.faults);
    const { read } = file;
    if (read === undefined) return;
    this.read = async (offset, length, options = {}) =>
      await this.#spoil(offset, length, options, async () => await read.call(file, offset, length, options));
  }

  async readIdentity(options?: CallOptions): Promise<string> {
    return this.#identityNow(await this.#file.readIdentity(options));
  }

  async readHead(options: CallOptions = {}): Promise<Uint8Array> {
    const head = await this.#file.readHead(options);
    return await this.#spoil(0, head.length, options, async () => head);
  }

  async *stream(options: StreamOptions = {}): AsyncGenerator<Uint8Array, void> {
    const { from = 0, signal, observe } = options;
    let at = from;
    // An altered length is the file's word about itself; the stream still ends where the bytes do.
    const to = options.to === undefined ? {} : { to: options.to };
    for await (const piece of this.#file.stream({ from, ...to, signal })) {
      const { bytes, ends } = await this.#spoilPiece(at, piece, { signal });
      if (bytes.length > 0) {
        observe?.(at, bytes);
        yield bytes;
      }
      if (ends !== undefined) return ends();
      at += piece.length;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file[Symbol.asyncDispose]();
  }

  async #spoil(offset: number, length: number, options: CallOptions, read: () => Promise<Uint8Array>) {
    const taken = this.#take(offset, offset + length);
    if (taken === undefined) return await read();
    const { fault, at } = taken;
    if (fault.does === 'drop') throw gone(this.name, offset);
    if (fault.does === 'fail') throw unreadable(this.name, offset);
    if (fault.does === 'stall') await this.#stall(fault.ms, options);
    const bytes = await read();
    if (fault.does === 'short') return bytes.subarray(0, placeWithin(at, this.#countsFrom + offset, bytes.length));
    return fault.does === 'flip'
      ? withFlippedBit(bytes, placeWithin(at, this.#countsFrom + offset, bytes.length))
      : bytes;
  }

  /** What is left of a piece, and how the stream ends behind it; undefined when it goes on. */
  async #spoilPiece(offset: number, piece: Uint8Array, options: CallOptions) {
    const taken = this.#take(offset, offset + piece.length);
    if (taken === undefined) return { bytes: piece, ends: undefined };
    const { fault, at } = taken;
    const within = placeWithin(at, this.#countsFrom + offset, piece.length);
    if (fault.does === 'stall') await this.#stall(fault.ms, options);
    if (fault.does === 'flip') return { bytes: withFlippedBit(piece, within), ends: undefined };
    const fail = (error: Error) => () => {
      throw error;
    };
    const ends =
      fault.does === 'drop'
        ? fail(gone(this.name, offset + within))
        : fault.does === 'fail'
          ? fail(unreadable(this.name, offset + within))
          : fault.does === 'short'
            ? () => {}
            : undefined;
    return { bytes: ends === undefined ? piece : piece.subarray(0, within), ends };
  }

  #take(from: number, to: number) {
    this.#operations += 1;
    const counted = { number: this.#operations, from: this.#countsFrom + from, to: this.#countsFrom + to };
    return this.#parts.faults.take(({ does }) => (does === 'length' ? undefined : counted));
  }

  #identityNow(identity: string): string {
    return this.#parts.faults.struck.some(({ does }) => does === 'change') ? `${identity} changed` : identity;
  }

  async #stall(ms: number | undefined, { signal }: CallOptions): Promise<void> {
    if (ms !== undefined) return await this.#parts.clock.delay(ms, { signal });
    // Whoever forgets to hand the signal on waits here for good: that is the hang to be found.
    await new Promise<void>((_resolve, reject) => {
      if (signal?.aborted) reject(signal.reason);
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  }
}

function lengthError(faults: ActiveFaults<ImageFault>): number {
  const taken = faults.take(({ does }) => (does === 'length' ? ALWAYS : undefined));
  return taken?.fault.does === 'length' ? taken.fault.bytes : 0;
}

const ALWAYS = { number: Number.POSITIVE_INFINITY, from: 0, to: Number.POSITIVE_INFINITY };

/** Where the place lies in these bytes; their middle when it is not a byte of theirs. */
function placeWithin(at: FaultPlace, offset: number, length: number): number {
  if (!('byte' in at) || at.byte < offset || at.byte >= offset + length) return Math.floor(length / 2);
  return at.byte - offset;
}

function gone(name: string, at: number): ProblemError {
  return new ProblemError('SourceClosedEarly', `${name}: the connection was closed at byte ${at}`);
}

function unreadable(name: string, at: number): ProblemError {
  return new ProblemError('SourceReadFailed', `${name}: EIO at byte ${at}`);
}
