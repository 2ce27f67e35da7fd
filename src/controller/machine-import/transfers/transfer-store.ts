import { type ConfigMap, configMapKind } from '../../../api/core-kinds.ts';
import type { OwnerReference } from '../../../domain/kubernetes-object.ts';
import { isProblem, ProblemError } from '../../../domain/problems.ts';
import type { CallOptions } from '../../../lib/call-options.ts';
import type { Cluster } from '../../../ports/cluster.ts';
import { namesOf } from '../names.ts';
import {
  beginNext,
  FRESH,
  type ImageRun,
  readRecord,
  recordObject,
  type TransferProblem,
  type TransferRecord,
  type TransferResult,
  type TransferState,
} from './transfer-record.ts';

/** Whose disk: enough to find and to make its ConfigMap. */
export interface TransferPlace {
  readonly namespace: string;
  readonly owner: OwnerReference;
  readonly disk: number;
}

const MOST_CONFLICTS = 5;

type ChangeRecord = (record: TransferRecord) => Pick<TransferRecord, 'state' | 'checkpoint'>;

/**
 * The records of all transfers. Each is changed only as the version that was read, so two controllers, or a worker of an old run, can never undo what the other stored (ruling 16).
 * What was last seen of each is kept, and read again when somebody else changed it.
 */
export class TransferStore {
  readonly #cluster: Cluster;
  readonly #caPem: () => string;
  readonly #known = new Map<string, TransferRecord>();

  constructor(cluster: Cluster, caPem: () => string) {
    this.#cluster = cluster;
    this.#caPem = caPem;
  }

  /** @throws ProblemError when it cannot look */
  async read(place: TransferPlace, options: CallOptions = {}): Promise<TransferRecord> {
    const known = this.#known.get(keyOf(place));
    if (known !== undefined) return known;
    const object = await this.#cluster.get(configMapKind, refOf(place), options);
    return this.#remember(place, object);
  }

  /**
   * Gives the next run its number, before anything of it exists. Returns the epoch that now may write.
   * @throws ProblemError `ClusterConflict` when another controller gives numbers as well
   */
  async begin(
    place: TransferPlace,
    epoch: number,
    { image, ...options }: CallOptions & { readonly image?: ImageRun | undefined } = {},
  ): Promise<number> {
    await this.#change(place, options, ({ state, checkpoint }) => {
      if (state.epoch >= epoch)
        throw new ProblemError('ClusterConflict', `disk ${place.disk} has epoch ${state.epoch} already`);
      return { state: beginNext(state, epoch, image), checkpoint };
    });
    return epoch;
  }

  /** @throws ProblemError `TransferSuperseded` for a run that is no longer the current one */
  async saveCheckpoint(
    place: TransferPlace,
    { epoch, bytes, doneBytes }: { readonly epoch: number; readonly bytes: Uint8Array; readonly doneBytes: number },
    options: CallOptions = {},
  ): Promise<void> {
    await this.#changeRun(place, epoch, options, ({ state }) => {
      return { state: { ...state, checkpointBytes: doneBytes }, checkpoint: bytes };
    });
  }

  /** What was written counts for nothing any more. @throws ProblemError `TransferSuperseded` */
  async removeCheckpoint(place: TransferPlace, epoch: number, options: CallOptions = {}): Promise<void> {
    await this.#changeRun(place, epoch, options, ({ state }) => {
      return { state: { ...state, checkpointBytes: 0, begunAtBytes: 0 }, checkpoint: undefined };
    });
  }

  /** @throws ProblemError `TransferSuperseded` */
  async saveResult(
    place: TransferPlace,
    epoch: number,
    result: TransferResult,
    options: CallOptions = {},
  ): Promise<void> {
    await this.#changeRun(place, epoch, options, ({ state, checkpoint }) => {
      const { problem: _problem, ...rest } = state;
      return { state: { ...rest, result }, checkpoint };
    });
  }

  /** What a disk was that somebody has downloaded. @throws ProblemError `TransferSuperseded` */
  async saveServed(
    place: TransferPlace,
    epoch: number,
    result: TransferResult,
    options: CallOptions = {},
  ): Promise<void> {
    await this.#changeRun(place, epoch, options, ({ state, checkpoint }) => {
      const { problem: _problem, ...rest } = state;
      return { state: { ...rest, served: { epoch, result } }, checkpoint };
    });
  }

  /** @throws ProblemError `TransferSuperseded` */
  async saveProblem(
    place: TransferPlace,
    { epoch, code, message, at }: Pick<TransferProblem, 'epoch' | 'code' | 'message' | 'at'>,
    options: CallOptions = {},
  ): Promise<void> {
    await this.#changeRun(place, epoch, options, ({ state, checkpoint }) => {
      const problem = { epoch, code, message: message.slice(0, 4096), ...(at === undefined ? {} : { at }) };
      return { state: { ...state, problem }, checkpoint };
    });
  }

  /** Begins anew, but for the epoch, which never goes back. */
  async reset(place: TransferPlace, options: CallOptions = {}): Promise<void> {
    await this.#change(place, options, ({ state }) => ({
      state: { ...FRESH, epoch: state.epoch },
      checkpoint: undefined,
    }));
  }

  /** When an import is gone, or when somebody else may have changed its records. */
  forget(importUid: string): void {
    for (const key of this.#known.keys()) if (key.startsWith(`${importUid}.`)) this.#known.delete(key);
  }

  /** Of the current run only. */
  async #changeRun(place: TransferPlace, epoch: number, options: CallOptions, change: ChangeRecord): Promise<void> {
    await this.#change(place, options, (record) => {
      refuseOld(record.state, epoch);
      return change(record);
    });
  }

  async #change(place: TransferPlace, options: CallOptions, change: ChangeRecord): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const before = await this.read(place, options);
      const next = { ...change(before), resourceVersion: before.resourceVersion };
      const object = recordObject(place, next, this.#caPem());
      try {
        const stored =
          before.resourceVersion === undefined
            ? await this.#cluster.create(configMapKind, object, options)
            : await this.#cluster.replace(configMapKind, object, options);
        this.#remember(place, stored);
        return;
      } catch (error) {
        this.#known.delete(keyOf(place));
        const isOutdated = isProblem(error, 'ClusterConflict', 'ClusterObjectExists', 'ClusterObjectMissing');
        if (!isOutdated || attempt >= MOST_CONFLICTS) throw error;
      }
    }
  }

  #remember(place: TransferPlace, object: ConfigMap | undefined): TransferRecord {
    const fresh: TransferRecord = {
      state: FRESH,
      checkpoint: undefined,
      resourceVersion: object?.metadata.resourceVersion,
    };
    const record = (object && readRecord(object)) ?? fresh;
    this.#known.set(keyOf(place), record);
    return record;
  }
}

function refuseOld(state: TransferState, epoch: number): void {
  if (state.epoch === epoch) return;
  throw new ProblemError('TransferSuperseded', `run ${epoch} is not the current one, which is ${state.epoch}`);
}

function keyOf({ owner, disk }: TransferPlace): string {
  return `${owner.uid}.${disk}`;
}

function refOf({ namespace, owner, disk }: TransferPlace) {
  return { namespace, name: namesOf(owner.uid).checkpoint(disk) };
}
