import type { DiskWriter } from '../../ports/disk-writer.ts';
import type { MachineTarget, TargetDocument } from '../../ports/target.ts';
import type { VerifyMode } from '../../ports/transfer.ts';
import type { Volume } from './volume.ts';
import { decodeVolumeRecord, encodeVolumeRecord, type VolumeRecord } from './volume-record.ts';

/** Keeps the record of one transfer. In a cluster that is the controller's work, since a volume holds nothing but its disk. */
export interface VolumeState {
  load(): Promise<Uint8Array | undefined>;
  /**
   * May return before the record is stored, as long as the newest one soon is: an older record only means that more is copied again.
   * @throws what storing an earlier one met
   */
  save(bytes: Uint8Array): Promise<void>;
  /** Returns when there is none any more, and none that was saved before will come back. */
  remove(): Promise<void>;
}

export interface VolumeTargetOptions {
  /** Disposed with the target. */
  readonly volume: Volume;
  /** Of the claim, for messages. */
  readonly name: string;
  /** Of the claim: a record of another one speaks of bytes that are not here. */
  readonly uid: string;
  /** What was copied without digests cannot be continued with them, nor the other way round. */
  readonly verify: VerifyMode;
  readonly state: VolumeState;
  /** One sentence the user should know. */
  readonly onRemark?: (remark: string) => void;
}

/**
 * The place of one disk on one volume, for the engine to write to. A volume that a failed transfer wrote to holds a part of a disk; `discard` makes sure that nobody believes it.
 * @throws ProblemError what loading the state met
 */
export async function openVolumeTarget(options: VolumeTargetOptions): Promise<MachineTarget> {
  const { state, onRemark } = options;
  const bytes = await state.load();
  if (bytes === undefined) return new VolumeTarget(options, { record: undefined, hasStored: false });
  const record = decodeVolumeRecord(bytes);
  const why = whyNotContinued(record, options);
  if (why !== undefined) onRemark?.(`${why}; the disk is copied from its start`);
  return new VolumeTarget(options, { record: why === undefined ? record : undefined, hasStored: true });
}

function whyNotContinued(
  record: VolumeRecord | undefined,
  { uid, name, verify }: VolumeTargetOptions,
): string | undefined {
  if (record === undefined) return 'the record of the earlier run cannot be read';
  if (record.volume !== uid) return `${name} is another volume than in the earlier run`;
  if (record.verify !== verify)
    return `the earlier run was told to verify by "${record.verify}", this one by "${verify}"`;
  return undefined;
}

class VolumeTarget implements MachineTarget {
  readonly location: string;
  readonly partialLocation: string;
  readonly isContinued: boolean;
  readonly #options: VolumeTargetOptions;
  #record: VolumeRecord | undefined;
  #hasStored: boolean;

  constructor(
    options: VolumeTargetOptions,
    { record, hasStored }: { readonly record: VolumeRecord | undefined; readonly hasStored: boolean },
  ) {
    this.#options = options;
    this.#record = record;
    this.#hasStored = hasStored;
    this.location = options.name;
    this.partialLocation = options.name;
    this.isContinued = record !== undefined;
  }

  diskFileName(): string {
    return this.#options.name;
  }

  async hasDisk(): Promise<boolean> {
    return await this.#options.volume.hasDisk();
  }

  async openDisk(_index: number, virtualSizeBytes: number): Promise<DiskWriter> {
    return await this.#options.volume.openDisk(virtualSizeBytes, { isContinued: this.#record !== undefined });
  }

  async allocatedBytes(): Promise<number> {
    return await this.#options.volume.allocatedBytes();
  }

  async discardDisk(): Promise<void> {
    this.#record = undefined;
    if (this.#hasStored) await this.#options.state.remove();
    this.#hasStored = false;
  }

  async loadState(): Promise<Uint8Array | undefined> {
    return this.#record?.checkpoint;
  }

  async saveState(_key: string, checkpoint: Uint8Array): Promise<void> {
    const { uid, verify, state, volume } = this.#options;
    // Zeroes that were written once stay written, whatever later holes got.
    const zeroes = this.#record?.zeroes === 'written' ? 'written' : (volume.zeroMethod ?? this.#record?.zeroes);
    this.#record = { volume: uid, verify, zeroes, checkpoint };
    this.#hasStored = true;
    await state.save(encodeVolumeRecord(this.#record));
  }

  /** Nothing on a finished volume tells it from another: that is for whoever keeps its record to say. */
  async finish(documents: readonly TargetDocument[]): Promise<void> {
    if (documents.length > 0) throw new RangeError(`${this.#options.name} takes a disk and no documents`);
  }

  async discard(): Promise<void> {
    await this.discardDisk();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#options.volume[Symbol.asyncDispose]();
  }
}
