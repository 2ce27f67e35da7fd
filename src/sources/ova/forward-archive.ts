import { ProblemError } from '../../domain/problems.ts';
import { safeMemberName } from '../../formats/ova/member-name.ts';
import { readTarMembers, type TarMember } from '../../formats/ova/tar.ts';
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
import type { HttpForwardFile } from './http-forward-file.ts';

/** All descriptors, manifests and certificates together that are kept while they pass. */
const MAX_KEPT_BYTES = 2 * MAX_DESCRIPTOR_BYTES;

/** One walk over the archive; `member` is the one whose header was read last. */
interface Walk {
  readonly pass: ForwardPass;
  readonly members: AsyncGenerator<TarMember, void>;
  member: TarMember | undefined;
}

/**
 * An .ova behind a server without ranges: one connection goes past the members once, in their order. Descriptor, manifest and certificate are kept as they
 * pass. What lies before the current place costs another pass from the beginning.
 */
export class ForwardArchive implements ApplianceFiles {
  readonly name: string;
  readonly isStreamed = true;
  readonly hasProof: boolean;
  /** Times the archive was begun again. */
  reopened = 0;
  readonly #file: HttpForwardFile;
  readonly #members = new Map<string, TarMember>();
  readonly #kept = new Map<string, Uint8Array>();
  readonly #regions = new Map<string, ForwardRegion>();
  #walk: Walk | undefined;
  #hasSeenEnd = false;

  /** Owns the file from now on. */
  constructor(file: HttpForwardFile) {
    this.#file = file;
    this.name = file.name;
    this.hasProof = file.hasProof;
  }

  async readDescriptor(options: CallOptions): Promise<SmallFile> {
    const isDescriptor = (name: string) => /\.ovf$/i.test(name);
    while (!this.#hasSeenEnd && ![...this.#kept.keys()].some(isDescriptor)) await this.#advance(options);
    const found = [...this.#kept].find(([name]) => isDescriptor(name));
    if (!found)
      throw new ProblemError('NotAnOva', `none of the ${this.#members.size} files in ${this.name} is an .ovf`);
    // Manifest and certificate usually follow at once. One header further is where the disks begin.
    while (!this.#hasSeenEnd && isKept(this.#walk?.member?.name ?? '')) await this.#advance(options);
    return { name: found[0], bytes: found[1] };
  }

  async readSmallFile(name: string): Promise<Uint8Array | undefined | 'later'> {
    return this.#kept.get(name) ?? (this.#hasSeenEnd ? undefined : 'later');
  }

  async locate(path: string): Promise<Located | undefined> {
    const name = safeMemberName(path);
    const member = this.#members.get(name);
    if (member) return { name, sizeBytes: member.sizeBytes };
    return this.#hasSeenEnd ? undefined : { name };
  }

  canOpenNow({ name }: Located): boolean {
    const walk = this.#walk;
    if (!walk || walk.pass.isBroken || walk.member?.name !== name) return false;
    return walk.pass.reader.position === walk.member.offset || this.#regions.get(name)?.standsBehindHead === true;
  }

  async open({ name }: Located, digest: FileDigest | undefined, options: CallOptions): Promise<ImageFile> {
    if (!this.#members.has(name)) await this.#goTo(name, options);
    return new ForwardImageFile(this.#regionOf(name), digest);
  }

  async readToEnd(options: CallOptions): Promise<void> {
    while (!this.#hasSeenEnd) await this.#advance(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#walk?.pass[Symbol.asyncDispose]();
    await this.#file[Symbol.asyncDispose]();
  }

  async #restart(): Promise<Walk> {
    if (this.#walk) {
      this.reopened += 1;
      await this.#walk.pass[Symbol.asyncDispose]();
    }
    const pass = new ForwardPass(this.#file, 'ArchiveTruncated');
    this.#walk = { pass, members: readTarMembers(pass.reader, { name: this.name }), member: undefined };
    return this.#walk;
  }

  /** Goes to the next header. */
  async #advance(options: CallOptions): Promise<TarMember | undefined> {
    const walk = this.#walk && !this.#walk.pass.isBroken ? this.#walk : await this.#restart();
    const next = await walk.pass.during(options, () => walk.members.next());
    walk.member = next.done ? undefined : next.value;
    if (next.done) {
      this.#hasSeenEnd = true;
      return undefined;
    }
    const member = next.value;
    this.#members.set(member.name, member);
    if (isKept(member.name) && !this.#kept.has(member.name)) await this.#keep(member, walk.pass, options);
    return member;
  }

  async #keep({ name, sizeBytes }: TarMember, pass: ForwardPass, options: CallOptions): Promise<void> {
    const before = [...this.#kept.values()].reduce((sum, bytes) => sum + bytes.length, 0);
    if (sizeBytes > MAX_DESCRIPTOR_BYTES || before + sizeBytes > MAX_KEPT_BYTES) {
      throw new ProblemError(
        'OvfTooLarge',
        `${name} in ${this.name} has ${sizeBytes} bytes, after ${before} in other small files`,
      );
    }
    this.#kept.set(name, await pass.during(options, (reader) => reader.readExactly(sizeBytes)));
  }

  /** A pass that stands at the member's first byte. */
  async #goTo(name: string, options: CallOptions): Promise<ForwardPass> {
    const known = this.#members.get(name);
    let walk = this.#walk;
    if (!walk || walk.pass.isBroken || (known && walk.pass.reader.position > known.offset))
      walk = await this.#restart();
    // The end was seen: what is not known by now is not there.
    if (!known && this.#hasSeenEnd) throw this.#missing(name);
    while (walk.member?.name !== name) {
      if ((await this.#advance(options)) === undefined) throw this.#missing(name);
    }
    return walk.pass;
  }

  #missing(name: string): ProblemError {
    return new ProblemError('DiskFileMissing', `${JSON.stringify(name)} is not in ${this.name}`);
  }

  #regionOf(name: string): ForwardRegion {
    const known = this.#regions.get(name);
    if (known) return known;
    const member = this.#members.get(name);
    if (!member) throw new Error(`${name} was not seen yet`);
    const identityOf = (whole: string) => `${whole} region=${member.offset}+${member.sizeBytes}`;
    const region = new ForwardRegion({
      name,
      sizeBytes: member.sizeBytes,
      identity: identityOf(this.#file.identity),
      readIdentity: async (options) => identityOf(await this.#file.readIdentity(options)),
      enter: (options) => this.#goTo(name, options),
    });
    this.#regions.set(name, region);
    return region;
  }
}

function isKept(name: string): boolean {
  return /\.(ovf|mf|cert)$/i.test(name);
}
