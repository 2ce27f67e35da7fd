import { createHash } from 'node:crypto';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Allocation, DiskReader, EncodedRange, RangesOptions } from '../../ports/disk-reader.ts';
import type { ImageFile } from '../../ports/image-file.ts';
import { type Extent, rangedFile } from './extent.ts';
import type { LeafClaims } from './leaf-claims.ts';

const MAX_READABLE_ID = 1024;

export interface VmdkParts {
  readonly format: string;
  readonly virtualSizeBytes: number;
  readonly cid: string;
  readonly files: readonly ImageFile[];
  /** By rising file. */
  readonly extents: readonly Extent[];
  readonly claims: LeafClaims;
  /** True when the first file is a text descriptor and holds no data. */
  readonly hasDescriptorFile: boolean;
}

/** A VMDK whose parts have been opened; see `openVmdk`. Disposing it disposes its files. */
export class VmdkReader implements DiskReader {
  readonly format: string;
  readonly virtualSizeBytes: number;
  readonly contentId: string;
  readonly files: readonly ImageFile[];
  readonly oneShot = false;
  readonly allocation: Allocation;
  readonly #parts: VmdkParts;

  constructor(parts: VmdkParts) {
    this.#parts = parts;
    this.format = parts.format;
    this.virtualSizeBytes = parts.virtualSizeBytes;
    this.files = parts.files;
    this.allocation = sumOf(parts.extents);
    this.contentId = this.#contentIdOf(parts.files.map((file) => file.identity));
  }

  async readContentId(options: CallOptions = {}): Promise<string> {
    const identities: string[] = [];
    for (const file of this.files) identities.push(await file.readIdentity(options));
    return this.#contentIdOf(identities);
  }

  async *ranges(options: RangesOptions = {}): AsyncGenerator<EncodedRange, void> {
    const { signal } = options;
    signal?.throwIfAborted();
    const ledger = this.#parts.claims.open();
    const file = this.#parts.hasDescriptorFile && this.files.length > 1 ? 1 : 0;
    for (const closesLeaves of ledger.unclaimed()) {
      yield { file, fileOffset: 0, fileBytes: 0, pieces: [], closesLeaves };
    }
    await this.#showDescriptor(options);
    for (const extent of this.#parts.extents) {
      for await (const range of extent.ranges({ ...options, ledger })) {
        yield range;
        signal?.throwIfAborted();
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await disposeAll(this.files);
  }

  /** A manifest covers the descriptor file too; where whoever fetches ranges cannot read it, its bytes are shown from here. */
  async #showDescriptor({ signal, observe }: RangesOptions): Promise<void> {
    const [main] = this.files;
    if (!this.#parts.hasDescriptorFile || !main || !observe || rangedFile(main)) return;
    const stream = main.stream({ signal, observe: (offset, bytes) => observe(0, offset, bytes) });
    for await (const _passing of stream) signal?.throwIfAborted();
  }

  #contentIdOf(identities: readonly string[]): string {
    const facts = `vmdk size=${this.virtualSizeBytes} cid=${this.#parts.cid} files=${identities.length}`;
    const list = identities.map((identity, at) => `${this.files[at]?.name}|${identity}`).join(' ');
    if (list.length <= MAX_READABLE_ID) return `${facts} ${list}`;
    return `${facts} sha256:${createHash('sha256').update(list).digest('hex')}`;
  }
}

/** Disposes every file even when one of them fails, and then throws what failed. */
export async function disposeAll(files: readonly ImageFile[]): Promise<void> {
  await using stack = new AsyncDisposableStack();
  for (const file of files) stack.use(file);
}

function sumOf(extents: readonly Extent[]): Allocation {
  let bytes = 0;
  for (const { allocation } of extents) {
    if (allocation.kind !== 'exact') return { kind: 'unknown' };
    bytes += allocation.bytes;
  }
  return { kind: 'exact', bytes };
}
