import {
  type Job,
  jobKind,
  type PersistentVolumeClaim,
  type Pod,
  persistentVolumeClaimKind,
  podKind,
} from '../api/core-kinds.ts';
import { IMPORT_UID_LABEL, IMPORTED_LABEL, MANAGED_BY, MANAGED_BY_LABEL } from '../api/literals.ts';
import { type VirtualMachine, virtualMachineKind } from '../api/platform-kinds.ts';
import { type StoredVirtualMachineImport, virtualMachineImportKind } from '../api/virtual-machine-import.ts';
import type { KubernetesObject, ObjectRef } from '../domain/kubernetes-object.ts';
import { byLabel, Informer } from '../kube/informer.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Cluster } from '../ports/cluster.ts';
import { type ImportSummary, summarizeImport } from './machine-import/import-summary.ts';
import type { ImportObjects } from './machine-import/import-world.ts';
import { mayWrite } from './machine-import/observe/observe-transfer.ts';

export interface WatchObjectsOptions {
  readonly cluster: Cluster;
  /** An import, or anything that one made, has changed. */
  readonly onImport: (ref: ObjectRef) => void;
  /** A Pod that could read and write no longer can, or it is known now where one is. */
  readonly onTransferMoved: () => void;
  readonly onRetry: (kind: string, problem: Error, afterMs: number) => void;
}

const OURS = { [MANAGED_BY_LABEL]: MANAGED_BY };

/**
 * Watches imports and what they made. Of imports only a summary is kept, so that ten thousand finished ones are small; of the rest only what carries our label is asked for.
 */
export class WatchedObjects implements ImportObjects {
  readonly #imports: Informer<StoredVirtualMachineImport, ImportSummary>;
  readonly #jobs: Informer<Job>;
  readonly #pods: Informer<Pod>;
  readonly #claims: Informer<PersistentVolumeClaim>;
  readonly #machines: Informer<VirtualMachine>;
  readonly #options: WatchObjectsOptions;

  constructor(options: WatchObjectsOptions) {
    this.#options = options;
    const { cluster, onRetry } = options;
    const common = (kind: string) => ({
      cluster,
      onRetry: (problem: Error, afterMs: number) => onRetry(kind, problem, afterMs),
    });
    this.#imports = new Informer({
      ...common('VirtualMachineImport'),
      kind: virtualMachineImportKind,
      project: summarizeImport,
      indices: { uid: ({ metadata }) => (metadata.uid === undefined ? [] : [metadata.uid]) },
    });
    this.#jobs = this.#made(common('Job'), jobKind);
    this.#pods = this.#made(common('Pod'), podKind);
    this.#claims = this.#made(common('PersistentVolumeClaim'), persistentVolumeClaimKind);
    this.#machines = new Informer({
      ...common('VirtualMachine'),
      kind: virtualMachineKind,
      labels: { [IMPORTED_LABEL]: 'true' },
      // Our decisions need who made it and how it is; a machine's whole spec is large.
      project: ({ apiVersion, kind, metadata, status }) => ({ apiVersion, kind, metadata, ...(status && { status }) }),
      indices: { import: byLabel(IMPORT_UID_LABEL) },
    });
    this.#imports.onChange(({ ref, after }) => {
      // Ten thousand of these would cost ten thousand requests at each start (W25).
      if (after?.isSettled !== true) options.onImport(ref);
    });
    this.#jobs.onChange(({ before, after }) => this.#tellImport(after ?? before));
    this.#pods.onChange(({ before, after }) => {
      this.#tellImport(after ?? before);
      const hasEnded = before !== undefined && mayWrite(before) && (after === undefined || !mayWrite(after));
      const isPlaced = after?.spec?.nodeName !== undefined && before?.spec?.nodeName === undefined;
      if (hasEnded || isPlaced) options.onTransferMoved();
    });
    this.#claims.onChange(({ before, after }) => this.#tellImport(after ?? before));
    this.#machines.onChange(({ before, after }) => this.#tellImport(after ?? before));
  }

  /** Follows the cluster until aborted. @throws what ends one of the watches for good */
  async run(options: CallOptions): Promise<never> {
    const { signal } = options;
    const stop = new AbortController();
    const call = { signal: signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]) };
    const running = this.#all.map((each) => each.run(call));
    try {
      return await Promise.race(running);
    } finally {
      stop.abort(new Error('another watch has ended'));
      await Promise.allSettled(running);
    }
  }

  /** Settles when everything there is was told. */
  async synced(): Promise<void> {
    await Promise.all(this.#all.map((each) => each.synced));
  }

  get isSynced(): boolean {
    return this.#all.every((each) => each.isSynced);
  }

  jobs(importUid: string): readonly Job[] {
    return this.#jobs.find('import', importUid);
  }

  pods(importUid: string): readonly Pod[] {
    return this.#pods.find('import', importUid);
  }

  /** Of all imports. */
  allPods(): Iterable<Pod> {
    return this.#pods.list();
  }

  claims(importUid: string): readonly PersistentVolumeClaim[] {
    return this.#claims.find('import', importUid);
  }

  machine(namespace: string, name: string): VirtualMachine | undefined {
    return this.#machines.get({ namespace, name });
  }

  imports(): Iterable<ImportSummary> {
    return this.#imports.list();
  }

  importOf(uid: string): ImportSummary | undefined {
    return this.#imports.find('uid', uid)[0];
  }

  get #all() {
    return [this.#imports, this.#jobs, this.#pods, this.#claims, this.#machines];
  }

  #made<T extends KubernetesObject>(
    common: { readonly cluster: Cluster; readonly onRetry: (problem: Error, afterMs: number) => void },
    kind: {
      readonly apiVersion: string;
      readonly kind: string;
      readonly plural: string;
      readonly isNamespaced: boolean;
    },
  ): Informer<T> {
    return new Informer<T>({
      ...common,
      kind,
      labels: OURS,
      project: (object) => object,
      indices: { import: byLabel(IMPORT_UID_LABEL) },
    });
  }

  #tellImport(object: KubernetesObject | undefined): void {
    const uid = object?.metadata.labels?.[IMPORT_UID_LABEL];
    const found = uid === undefined ? undefined : this.importOf(uid);
    if (found !== undefined) this.#options.onImport({ namespace: found.namespace, name: found.name });
  }
}
