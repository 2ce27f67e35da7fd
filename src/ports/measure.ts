import type { CallOptions } from '../lib/call-options.ts';

/** What a moment of work gave. */
export interface Measurement {
  readonly bytes: number;
  /** Above zero. */
  readonly ms: number;
}

export function bytesPerSecond({ bytes, ms }: Measurement): number {
  return (bytes / ms) * 1000;
}

/** How fast a source gives a disk and how fast this machine unpacks it. */
export interface SourceRates {
  /** Bytes as the source stores them. */
  readonly read: Measurement;
  /** Bytes of the disk, unpacked by one thread. */
  readonly decode: Measurement;
  /** Bytes of the disk, hashed by one thread. */
  readonly hash: Measurement;
  /** Threads that unpack and hash at once. */
  readonly lanes: number;
  /** Bytes of the disk for each stored byte of what was read. */
  readonly expansion: number;
}

export interface MeasureSourceOptions extends CallOptions {
  /** Most time for reading, with what the image's map takes. */
  readonly readMs: number;
  /** Most time for unpacking, and again for hashing. */
  readonly decodeMs: number;
}

/** How fast a target takes bytes, flushed, and gives them back. */
export interface TargetRates {
  readonly write: Measurement;
  readonly readBack: Measurement;
}

/** A temporary file on the target, gone when it is disposed or the process ends in whatever way. */
export interface TargetProbe extends AsyncDisposable {
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** Returns when everything written would survive a power cut. */
  flush(): Promise<void>;
  /** Fills `into` with what was written and flushed, past what memory holds of it where the platform allows. */
  read(offset: number, into: Uint8Array): Promise<void>;
}

export interface OpenProbeOptions extends CallOptions {
  /** Most bytes that will be written. */
  readonly maxBytes: number;
  /** Free space that has to stay beyond them. */
  readonly keepFreeBytes: number;
}
