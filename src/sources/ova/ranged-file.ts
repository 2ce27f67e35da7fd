import type { CallOptions } from '../../lib/call-options.ts';
import type { FileExtent, StreamOptions } from '../../ports/image-file.ts';

/** `onRetry` as in StreamOptions. */
export type RangedStreamOptions = CallOptions & Pick<StreamOptions, 'onRetry'>;

/** A whole file that answers any range, here or behind a server. Image files are regions of it. */
export interface RangedFile extends AsyncDisposable {
  /** For messages, without secrets. */
  readonly name: string;
  readonly sizeBytes: number;
  readonly identity: string;
  readIdentity(options?: CallOptions): Promise<string>;
  /** Host and port it comes from; absent for local files. */
  readonly server?: string;
  /** Absolute path of a local file: lanes open it themselves. */
  readonly path?: string;
  /** Reads exactly `length` bytes. @throws ProblemError also when the file ends before */
  read(offset: number, length: number, options?: CallOptions): Promise<Uint8Array>;
  /** The parts that hold data, as ImageFile has it; absent where nobody can tell. */
  dataExtents?(options?: CallOptions): AsyncIterable<FileExtent>;
  /** Yields the bytes from `from` to `to` in order. Stopping early closes what was opened for it. */
  stream(from: number, to: number, options?: RangedStreamOptions): AsyncGenerator<Uint8Array, void>;
}
