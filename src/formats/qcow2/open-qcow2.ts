import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Allocation, DiskReader, EncodedRange, RangesOptions } from '../../ports/disk-reader.ts';
import type { DiskFiles, ImageFile } from '../../ports/image-file.ts';
import { piecesInFileOrder } from './file-order.ts';
import { parseQcow2Header } from './layout.ts';
import { closeHoleLeaves, RangeBuilder } from './range-builder.ts';
import { type Survey, surveyTables } from './survey.ts';
import { Qcow2Tables } from './tables.ts';

export interface OpenQcow2Options extends CallOptions {
  /** Pieces sorted at a time where they are not in the file's order; tests make it small. */
  readonly piecesPerPass?: number;
}

/**
 * Opens a qcow2 of version 2 or 3: its active state, whatever snapshots it has inside. All tables are read and checked now, so that the allocation is exact; `ranges`
 * reads them again (from memory when they have at most 16 MiB). A disk whose size is no multiple of 512 keeps its last bytes, which QEMU would drop.
 * Disposing the reader disposes `files.main`; so does a failure to open.
 * @throws ProblemError `DiskHasParent`, `DiskEncrypted`, `DiskFormatUnsupported`, `DiskCompressionUnsupported`, `DiskTooLarge`, `DiskImageCorrupt`,
 * `DiskImageTruncated`, `SourceRangesRequired`, and the problems of the source
 */
export async function openQcow2(files: DiskFiles, options: OpenQcow2Options = {}): Promise<DiskReader> {
  const { main } = files;
  try {
    return await openTables(main, options);
  } catch (error) {
    await main[Symbol.asyncDispose]();
    throw error;
  }
}

async function openTables(main: ImageFile, options: OpenQcow2Options): Promise<DiskReader> {
  const { name, sizeBytes } = main;
  // A header that is refused is named before a source that cannot do ranges is.
  const header = parseQcow2Header(await main.readHead(options), name);
  if (main.read === undefined || sizeBytes === undefined) {
    throw new ProblemError('SourceRangesRequired', `${name} is a qcow2, whose tables may lie anywhere in the file`);
  }
  const read = main.read.bind(main);
  const tables = new Qcow2Tables({ header, read, fileBytes: sizeBytes, name });
  const survey = await surveyTables(tables, sizeBytes, name, options);
  return new Qcow2Reader(main, tables, survey, options.piecesPerPass);
}

class Qcow2Reader implements DiskReader {
  readonly format: string;
  readonly virtualSizeBytes: number;
  readonly contentId: string;
  readonly files: readonly ImageFile[];
  readonly oneShot = false;
  readonly allocation: Allocation;
  readonly #main: ImageFile;
  readonly #tables: Qcow2Tables;
  readonly #survey: Survey;
  readonly #piecesPerPass: number | undefined;

  constructor(main: ImageFile, tables: Qcow2Tables, survey: Survey, piecesPerPass: number | undefined) {
    this.#main = main;
    this.#tables = tables;
    this.#survey = survey;
    this.#piecesPerPass = piecesPerPass;
    this.files = [main];
    this.format = `qcow2 v${tables.header.version}`;
    this.virtualSizeBytes = tables.header.virtualSizeBytes;
    this.allocation = { kind: 'exact', bytes: survey.dataBytes };
    this.contentId = this.#contentIdOf(main.identity);
  }

  async readContentId(options: CallOptions = {}): Promise<string> {
    return this.#contentIdOf(await this.#main.readIdentity(options));
  }

  async *ranges({ signal, wants = () => true }: RangesOptions = {}): AsyncGenerator<EncodedRange, void> {
    signal?.throwIfAborted();
    const { piecesPerLeaf } = this.#survey;
    yield* closeHoleLeaves(piecesPerLeaf, wants);
    const builder = new RangeBuilder(piecesPerLeaf, wants, this.#main.name);
    const passes = this.#piecesPerPass === undefined ? {} : { piecesPerPass: this.#piecesPerPass };
    for await (const pieces of piecesInFileOrder(this.#tables, this.#survey, { signal, ...passes })) {
      signal?.throwIfAborted();
      for (const piece of pieces) {
        const range = builder.add(piece);
        if (range !== undefined) yield range;
      }
    }
    yield* builder.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#main[Symbol.asyncDispose]();
  }

  #contentIdOf(identity: string): string {
    return `qcow2 size=${this.virtualSizeBytes} ${this.#main.name}|${identity}`;
  }
}
