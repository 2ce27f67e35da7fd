import type { Job, PersistentVolumeClaim, Pod } from '../../api/core-kinds.ts';
import type { VirtualMachine } from '../../api/platform-kinds.ts';
import type { StoredVirtualMachineImport } from '../../api/virtual-machine-import.ts';
import type { Finding } from '../../domain/finding.ts';
import type { ProblemCode } from '../../domain/problems.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Cluster } from '../../ports/cluster.ts';
import type { SourceAdapter } from '../../ports/source-adapter.ts';
import type { ImportChanges } from './import-changes.ts';
import type { ImportSummary } from './import-summary.ts';
import type { WorkerSettings } from './objects/transfer-job.ts';
import type { PlanRecord } from './plan-record.ts';
import type { LiveProgress } from './status/status-facts.ts';
import type { TransferStore } from './transfers/transfer-store.ts';

/** What watches have brought of the objects that imports made; may be a moment old. */
export interface ImportObjects {
  jobs(importUid: string): readonly Job[];
  pods(importUid: string): readonly Pod[];
  claims(importUid: string): readonly PersistentVolumeClaim[];
  machine(namespace: string, name: string): VirtualMachine | undefined;
  /** All imports there are, as far as their place, age, and the machine they want is concerned. */
  imports(): Iterable<ImportSummary>;
}

/** Told to the user as events of the import; never fails. */
export interface EventSink {
  record(
    about: StoredVirtualMachineImport,
    event: { readonly type: 'Normal' | 'Warning'; readonly reason: ProblemCode | string; readonly message: string },
  ): void;
}

/** Which transfers may run beside each other. */
export interface TransferSlots {
  /** Why this one may not start now; undefined when it may. */
  blocked(transfer: PlaceWanted): string | undefined;
  /** The same, and takes the place: of two that ask at once one gets the last. */
  take(transfer: PlaceWanted): string | undefined;
  /** Gives back what was taken for a transfer that was stopped, perhaps before anything of it was seen to run; what does run counts on. */
  release(id: string): void;
  /** This import is looked at again when there may be a place; the oldest come first. */
  wait(key: string, createdAt: string): void;
}

export interface PlaceWanted {
  /** Of the transfer (names.ts). */
  readonly id: string;
  /** Of the server it reads from. */
  readonly host: string | undefined;
}

/** What preflight last said of an import, for as long as it is about the same spec. */
export interface PreflightMemory {
  readonly specHash: string;
  readonly ranAt: number;
  readonly findings: readonly Finding[];
  /** Undefined when something was in the way. */
  readonly plan: PlanRecord | undefined;
}

export interface ImportParts {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly adapters: ReadonlyMap<string, SourceAdapter>;
  readonly objects: ImportObjects;
  readonly transfers: TransferStore;
  readonly slots: TransferSlots;
  /** When the source of an import was last found to be ready after it was not. */
  readonly sourceReadyAt?: ((importUid: string) => number | undefined) | undefined;
  readonly events: EventSink;
  readonly changes: ImportChanges;
  /** By the id of the transfer (names.ts). */
  readonly live: Map<string, LiveProgress>;
  /** By the import's uid. */
  readonly preflights: Map<string, PreflightMemory>;
  readonly worker: WorkerSettings;
  readonly airliftVersion: string;
  /** Absent where this installation serves no images. */
  readonly images?: ImageSettings | undefined;
  /** Absent where it sends nothing to CDI. */
  readonly uploads?: UploadSettings | undefined;
}

export interface UploadSettings {
  /** CDI's own. */
  readonly namespace: string;
  /** Of its upload proxy, as Pods reach it. */
  readonly url: string;
}

export interface ImageSettings {
  /** Where downloaders reach the controller, such as `http://harvester-vm-import-controller.harvester-system.svc:8080`. */
  readonly baseUrl: string;
  /** What nobody can guess. */
  readonly createToken: () => string;
}
