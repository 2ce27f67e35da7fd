import { lstat, readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
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
import { attempt, LocalFile } from './local-file.ts';
import { RegionImageFile } from './region-image-file.ts';
import { requireSmall } from './small-file.ts';

/** An appliance as plain files in a local folder. Links among them are refused: the folder may come from anybody. */
export class FolderFiles implements ApplianceFiles {
  readonly name: string;
  readonly isStreamed = false;
  readonly hasProof = true;
  readonly #folder: string;
  readonly #descriptor: string | undefined;

  private constructor(name: string, folder: string, descriptor: string | undefined) {
    this.name = name;
    this.#folder = folder;
    this.#descriptor = descriptor;
  }

  /** @param descriptor file name of the .ovf; without it the folder must hold exactly one */
  static async open(folder: string, descriptor?: string): Promise<FolderFiles> {
    return new FolderFiles(folder, await attempt(folder, () => realpath(folder)), descriptor);
  }

  async readDescriptor(options: CallOptions): Promise<SmallFile> {
    const name = this.#descriptor ?? (await this.#findDescriptor());
    const bytes = await this.readSmallFile(name, MAX_DESCRIPTOR_BYTES, options);
    if (!bytes) throw new ProblemError('SourceNotFound', `${name} is not in ${this.name}`);
    return { name, bytes };
  }

  async readSmallFile(name: string, maxBytes: number, options: CallOptions): Promise<Uint8Array | undefined> {
    const located = await this.locate(name);
    if (!located) return undefined;
    await using file = await LocalFile.open(join(this.#folder, name), { name, refusesLinks: true });
    requireSmall(name, file.sizeBytes, maxBytes);
    return await file.read(0, file.sizeBytes, options);
  }

  async locate(path: string): Promise<Located | undefined> {
    let at = this.#folder;
    let sizeBytes = 0;
    let isFile = false;
    for (const segment of path.split('/')) {
      at = join(at, segment);
      try {
        const stats = await attempt(path, () => lstat(at));
        if (stats.isSymbolicLink()) throw new ProblemError('ArchiveMemberUnsafe', `${at} is a symbolic link`);
        isFile = stats.isFile();
        sizeBytes = stats.size;
      } catch (error) {
        if (isProblem(error, 'SourceNotFound')) return undefined;
        throw error;
      }
    }
    return isFile ? { name: path, sizeBytes } : undefined;
  }

  async open({ name }: Located, digest: FileDigest | undefined): Promise<ImageFile> {
    const file = await LocalFile.open(join(this.#folder, name), { name, refusesLinks: true });
    return new RegionImageFile(file, { name, digest, ownsFile: true });
  }

  canOpenNow(): boolean {
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {} // each file is closed by whoever opened it

  async #findDescriptor(): Promise<string> {
    const entries = await attempt(this.name, () => readdir(this.#folder));
    const descriptors = entries.filter((name) => /\.ovf$/i.test(name)).toSorted();
    const [only] = descriptors;
    if (only === undefined)
      throw new ProblemError('NotAnOva', `there is no .ovf among the ${entries.length} entries of ${this.name}`);
    if (descriptors.length > 1) {
      throw new ProblemError(
        'MachineAmbiguous',
        `${this.name} holds ${descriptors.length} descriptors; name one: ${descriptors.join(', ')}`,
      );
    }
    return only;
  }
}
