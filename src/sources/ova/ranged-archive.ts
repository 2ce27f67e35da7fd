import { ProblemError } from '../../domain/problems.ts';
import { safeMemberName } from '../../formats/ova/member-name.ts';
import { listTarMembers, type TarMember } from '../../formats/ova/tar.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { ImageFile } from '../../ports/image-file.ts';
import {
  type ApplianceFiles,
  type FileDigest,
  type Located,
  MAX_DESCRIPTOR_BYTES,
  type SmallFile,
} from './appliance-files.ts';
import type { RangedFile } from './ranged-file.ts';
import { RegionImageFile } from './region-image-file.ts';
import { requireSmall } from './small-file.ts';

/** An .ova that can be read at any place: only the headers and the parts needed are read. */
export class RangedArchive implements ApplianceFiles {
  readonly name: string;
  readonly isStreamed = false;
  readonly hasProof: boolean;
  readonly #file: RangedFile;
  #members: ReadonlyMap<string, TarMember> | undefined;

  /** Owns the file from now on. */
  constructor(file: RangedFile, options: { readonly hasProof: boolean }) {
    this.#file = file;
    this.name = file.name;
    this.hasProof = options.hasProof;
  }

  async readDescriptor(options: CallOptions): Promise<SmallFile> {
    const members = await this.#list(options);
    const member = [...members.values()].find(({ name }) => /\.ovf$/i.test(name));
    if (!member) throw new ProblemError('NotAnOva', `none of the ${members.size} files in ${this.name} is an .ovf`);
    return { name: member.name, bytes: await this.#readSmall(member, MAX_DESCRIPTOR_BYTES, options) };
  }

  async readSmallFile(name: string, maxBytes: number, options: CallOptions): Promise<Uint8Array | undefined> {
    const member = (await this.#list(options)).get(name);
    return member && (await this.#readSmall(member, maxBytes, options));
  }

  async locate(path: string, options: CallOptions): Promise<Located | undefined> {
    return (await this.#list(options)).get(safeMemberName(path));
  }

  async open({ name }: Located, digest: FileDigest | undefined, options: CallOptions): Promise<ImageFile> {
    const member = (await this.#list(options)).get(name);
    if (!member) throw new ProblemError('DiskFileMissing', `${JSON.stringify(name)} is not in ${this.name}`);
    const { offset, sizeBytes } = member;
    return new RegionImageFile(this.#file, { name, offset, sizeBytes, digest });
  }

  canOpenNow(): boolean {
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file[Symbol.asyncDispose]();
  }

  async #list(options: CallOptions): Promise<ReadonlyMap<string, TarMember>> {
    if (!this.#members) {
      const members = new Map<string, TarMember>();
      const whole = new RegionImageFile(this.#file, { name: this.name });
      for await (const member of listTarMembers(whole, options)) members.set(member.name, member);
      this.#members = members;
    }
    return this.#members;
  }

  async #readSmall(
    { name, offset, sizeBytes }: TarMember,
    maxBytes: number,
    options: CallOptions,
  ): Promise<Uint8Array> {
    requireSmall(name, sizeBytes, maxBytes);
    return sizeBytes === 0 ? new Uint8Array(0) : await this.#file.read(offset, sizeBytes, options);
  }
}
