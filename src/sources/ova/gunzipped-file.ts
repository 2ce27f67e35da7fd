import { createGunzip } from 'node:zlib';
import { isProblem, ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import { type ExpectedDigest, HEAD_BYTES, type ImageFile, type StreamOptions } from '../../ports/image-file.ts';

/**
 * The content of a gzip-compressed file. It can only be read in order and knows its length only at the end. Memory: two pieces, whatever the file unpacks
 * to, since nothing is unpacked before it is asked for.
 */
export class GunzippedFile implements ImageFile {
  readonly name: string;
  readonly identity: string;
  readonly expectedDigests: readonly ExpectedDigest[];
  readonly #stored: ImageFile;

  /** Owns the stored file from now on. */
  constructor(stored: ImageFile) {
    this.#stored = stored;
    this.name = stored.name;
    this.identity = stored.identity;
    this.expectedDigests = stored.expectedDigests;
  }

  async readIdentity(options?: CallOptions): Promise<string> {
    return await this.#stored.readIdentity(options);
  }

  /** Unpacked from the stored file's own head: a stream is not begun for it. */
  async readHead(options: CallOptions = {}): Promise<Uint8Array> {
    const storedHead = await this.#stored.readHead(options);
    const pieces: Uint8Array[] = [];
    let have = 0;
    try {
      for await (const piece of gunzip(this.name, [storedHead])) {
        pieces.push(piece);
        have += piece.length;
        if (have >= HEAD_BYTES) break;
      }
    } catch (error) {
      // The head ends in the middle of the file, of course; what came before its end counts.
      const isCut = storedHead.length === HEAD_BYTES && isProblem(error, 'DiskImageTruncated');
      if (!isCut) throw error;
    }
    return Buffer.concat(pieces).subarray(0, HEAD_BYTES);
  }

  async *stream(options: StreamOptions = {}): AsyncGenerator<Uint8Array, void> {
    const { from = 0, to = Number.POSITIVE_INFINITY, signal, observe } = options;
    let at = 0;
    for await (const piece of gunzip(this.name, this.#stored.stream({ signal, observe }))) {
      const wanted = piece.subarray(
        Math.min(Math.max(0, from - at), piece.length),
        Math.max(0, Math.min(piece.length, to - at)),
      );
      at += piece.length;
      if (wanted.length > 0) yield wanted;
      if (at >= to) return;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stored[Symbol.asyncDispose]();
  }
}

const PIECE_BYTES = 256 * 1024;

/**
 * Unpacks one or several gzip members (RFC 1952 2.2). What comes behind the last one is passed over, but read. A stored piece is fetched only when the one
 * before it is unpacked and consumed; a pipeline would read ahead, and end without reading the rest.
 */
async function* gunzip(
  name: string,
  stored: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  const unpacking = createGunzip({ chunkSize: PIECE_BYTES });
  let failure: Error | undefined;
  let isEnded = false;
  let wake = () => {};
  unpacking.on('readable', () => wake());
  unpacking.on('end', () => {
    isEnded = true;
    wake();
  });
  unpacking.on('error', (error) => {
    failure = error;
    wake();
  });

  async function* unpack(start: (done: () => void) => void): AsyncGenerator<Uint8Array, void> {
    let isDone = false;
    start(() => {
      isDone = true;
      wake();
    });
    while (true) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      for (let piece: Uint8Array | null = unpacking.read(); piece !== null; piece = unpacking.read()) yield piece;
      if (failure) throw problemOf(failure, name);
      if (isDone || isEnded) return;
      await woken;
    }
  }

  let isEmpty = true;
  try {
    for await (const piece of stored) {
      isEmpty = false;
      if (!isEnded) yield* unpack((done) => unpacking.write(piece, () => done()));
    }
    if (!isEnded) yield* unpack(() => unpacking.end());
    if (isEmpty) throw new ProblemError('DiskImageTruncated', `${name} is empty instead of compressed by gzip`);
  } finally {
    unpacking.destroy();
  }
}

function problemOf(cause: Error, name: string): Error {
  const code = 'code' in cause ? cause.code : undefined;
  if (code === 'Z_BUF_ERROR') {
    return new ProblemError('DiskImageTruncated', `${name}: the compressed data ends too early`, { cause });
  }
  if (typeof code === 'string' && code.startsWith('Z_')) {
    return new ProblemError('DiskImageCorrupt', `${name} does not unpack as gzip: ${code}`, { cause });
  }
  return cause;
}
