import { isProblem, ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { ImageFile } from '../../ports/image-file.ts';
import {
  type ApplianceFiles,
  type FileDigest,
  type Located,
  MAX_DESCRIPTOR_BYTES,
  type SmallFile,
} from './appliance-files.ts';
import { ForwardPass } from './forward-pass.ts';
import { ForwardImageFile, ForwardRegion } from './forward-region.ts';
import { HttpFile } from './http-file.ts';
import { HttpForwardFile } from './http-forward-file.ts';
import { RegionImageFile } from './region-image-file.ts';
import { requireSmall } from './small-file.ts';

/** An .ovf or a disk image behind a server, with the files beside it. */
export class HttpFolder implements ApplianceFiles {
  readonly name: string;
  readonly isStreamed: boolean;
  readonly hasProof: boolean;
  readonly #main: string;
  readonly #openSibling: (path: string, options: CallOptions) => Promise<HttpFile | HttpForwardFile>;
  readonly #files = new Map<string, HttpFile | HttpForwardFile>();
  readonly #regions = new Map<string, ForwardRegion>();
  readonly #passes: ForwardPass[] = [];

  /**
   * Owns the main file from now on.
   * @param main name of the file that the address leads to
   */
  constructor(
    main: string,
    file: HttpFile | HttpForwardFile,
    openSibling: (path: string, options: CallOptions) => Promise<HttpFile | HttpForwardFile>,
  ) {
    this.name = file.name;
    this.isStreamed = file instanceof HttpForwardFile;
    this.hasProof = file.hasProof;
    this.#main = main;
    this.#openSibling = openSibling;
    this.#files.set(main, file);
  }

  async readDescriptor(options: CallOptions): Promise<SmallFile> {
    const bytes = await this.readSmallFile(this.#main, MAX_DESCRIPTOR_BYTES, options);
    if (!bytes) throw new ProblemError('SourceNotFound', `${this.#main} is not at ${this.name}`);
    return { name: this.#main, bytes };
  }

  async readSmallFile(name: string, maxBytes: number, options: CallOptions): Promise<Uint8Array | undefined> {
    const located = await this.#locateOptional(name, options);
    if (!located) return undefined;
    requireSmall(name, located.sizeBytes ?? 0, maxBytes);
    await using file = await this.open(located, undefined);
    const pieces: Uint8Array[] = [];
    let have = 0;
    for await (const piece of file.stream(options)) {
      pieces.push(piece);
      have += piece.length;
      requireSmall(name, have, maxBytes);
    }
    return Buffer.concat(pieces);
  }

  async locate(path: string, options: CallOptions): Promise<Located | undefined> {
    try {
      const file = this.#files.get(path) ?? (await this.#openSibling(path, options));
      this.#files.set(path, file);
      return { name: path, ...(file.sizeBytes === undefined ? {} : { sizeBytes: file.sizeBytes }) };
    } catch (error) {
      if (isProblem(error, 'SourceNotFound')) return undefined;
      throw error;
    }
  }

  async open({ name }: Located, digest: FileDigest | undefined): Promise<ImageFile> {
    const file = this.#files.get(name);
    if (!file) throw new Error(`${name} was not located`);
    if (file instanceof HttpFile) return new RegionImageFile(file, { name, digest });
    return new ForwardImageFile(this.#regionOf(name, file), digest);
  }

  canOpenNow(): boolean {
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pass of this.#passes) await pass[Symbol.asyncDispose]();
    for (const file of this.#files.values()) await file[Symbol.asyncDispose]();
  }

  /** Object stores answer 403 for what is not there to users that may not list; a manifest need not be there. */
  async #locateOptional(name: string, options: CallOptions): Promise<Located | undefined> {
    try {
      return await this.locate(name, options);
    } catch (error) {
      if (name !== this.#main && isProblem(error, 'SourceForbidden')) return undefined;
      throw error;
    }
  }

  #regionOf(name: string, file: HttpForwardFile): ForwardRegion {
    const known = this.#regions.get(name);
    if (known) return known;
    let pass: ForwardPass | undefined;
    const region = new ForwardRegion({
      name,
      ...(file.sizeBytes === undefined ? {} : { sizeBytes: file.sizeBytes }),
      identity: file.identity,
      readIdentity: (options) => file.readIdentity(options),
      enter: async () => {
        if (pass && !pass.isBroken && pass.reader.position === 0) return pass;
        await pass?.[Symbol.asyncDispose]();
        pass = new ForwardPass(file, 'DiskImageTruncated');
        this.#passes.push(pass);
        return pass;
      },
    });
    this.#regions.set(name, region);
    return region;
  }
}
