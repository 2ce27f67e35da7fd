import type { CallOptions } from '../../lib/call-options.ts';
import type { ExpectedDigest, ImageFile } from '../../ports/image-file.ts';

/** The files of one appliance, wherever they lie: an archive or a folder, here or behind a server. */
export interface ApplianceFiles extends AsyncDisposable {
  /** For messages, without secrets. */
  readonly name: string;
  /** True when the files go past in one order: finding a later one means passing those before it. */
  readonly isStreamed: boolean;
  /** False when nothing shows whether the files changed since an earlier run. */
  readonly hasProof: boolean;
  /** @throws ProblemError `NotAnOva`, `MachineAmbiguous`, `OvfTooLarge` */
  readDescriptor(options: CallOptions): Promise<SmallFile>;
  /** The content of the manifest or certificate of that name; `later` when a stream has not come to it. @throws ProblemError past `maxBytes` */
  readSmallFile(name: string, maxBytes: number, options: CallOptions): Promise<Uint8Array | undefined | 'later'>;
  /** Where a safe relative path of the descriptor leads; undefined when there is no such file. */
  locate(path: string, options: CallOptions): Promise<Located | undefined>;
  /** Opens what `locate` found. @throws ProblemError `DiskFileMissing` when a stream ends without it */
  open(located: Located, digest: FileDigest | undefined, options: CallOptions): Promise<ImageFile>;
  /** False while opening the file would make a stream pass others. */
  canOpenNow(located: Located): boolean;
  /** Goes to the end of a stream, so that nothing is `later` any more. */
  readToEnd?(options: CallOptions): Promise<void>;
}

/** What the manifest says about one file. */
export type FileDigest = Omit<ExpectedDigest, 'storedBytes'>;

export interface SmallFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface Located {
  /** As these files know it. */
  readonly name: string;
  /** Absent while a stream has not come to it, or where the server does not tell. */
  readonly sizeBytes?: number;
}

export const MAX_DESCRIPTOR_BYTES = 16 * 1024 * 1024;
