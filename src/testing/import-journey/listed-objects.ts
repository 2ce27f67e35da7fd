import {
  type Job,
  jobKind,
  type PersistentVolumeClaim,
  type Pod,
  persistentVolumeClaimKind,
  podKind,
} from '../../api/core-kinds.ts';
import { IMPORT_UID_LABEL } from '../../api/literals.ts';
import { type VirtualMachine, virtualMachineKind } from '../../api/platform-kinds.ts';
import { virtualMachineImportKind } from '../../api/virtual-machine-import.ts';
import { type ImportSummary, summarizeImport } from '../../controller/machine-import/import-summary.ts';
import type { ImportObjects } from '../../controller/machine-import/import-world.ts';
import type { KubernetesObject, ResourceKind } from '../../domain/kubernetes-object.ts';
import type { Cluster } from '../../ports/cluster.ts';

/** What watches would have brought by the last `refresh`: tests decide how far it lags behind. */
export class ListedObjects implements ImportObjects {
  readonly #cluster: Cluster;
  #jobs: readonly Job[] = [];
  #pods: readonly Pod[] = [];
  #claims: readonly PersistentVolumeClaim[] = [];
  #machines: readonly VirtualMachine[] = [];
  #imports: readonly ImportSummary[] = [];

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  async refresh(): Promise<void> {
    this.#jobs = await this.#all(jobKind);
    this.#pods = await this.#all(podKind);
    this.#claims = await this.#all(persistentVolumeClaimKind);
    this.#machines = await this.#all(virtualMachineKind);
    this.#imports = (await this.#all(virtualMachineImportKind)).map(summarizeImport);
  }

  jobs(importUid: string): readonly Job[] {
    return ofImport(this.#jobs, importUid);
  }

  pods(importUid: string): readonly Pod[] {
    return ofImport(this.#pods, importUid);
  }

  claims(importUid: string): readonly PersistentVolumeClaim[] {
    return ofImport(this.#claims, importUid);
  }

  machine(namespace: string, name: string): VirtualMachine | undefined {
    return this.#machines.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
  }

  imports(): Iterable<ImportSummary> {
    return this.#imports;
  }

  async #all<T extends KubernetesObject>(kind: ResourceKind<T>): Promise<T[]> {
    const all: T[] = [];
    for await (const each of this.#cluster.list(kind)) all.push(each);
    return all;
  }
}

function ofImport<T extends KubernetesObject>(objects: readonly T[], importUid: string): readonly T[] {
  return objects.filter(({ metadata }) => metadata.labels?.[IMPORT_UID_LABEL] === importUid);
}
