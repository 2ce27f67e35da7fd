import { type StorageClass, storageClassKind } from '../../api/core-kinds.ts';
import { API_VERSION } from '../../api/literals.ts';
import { ovaSourceKind } from '../../api/ova-source.ts';
import {
  type DataVolume,
  dataVolumeKind,
  networkAttachmentDefinitionKind,
  virtualMachineImageKind,
  virtualMachineKind,
} from '../../api/platform-kinds.ts';
import { type StoredVirtualMachineImport, virtualMachineImportKind } from '../../api/virtual-machine-import.ts';
import { ImportChanges } from '../../controller/machine-import/import-changes.ts';
import type { ImportParts } from '../../controller/machine-import/import-world.ts';
import { namesOf } from '../../controller/machine-import/names.ts';
import { ownerOf } from '../../controller/machine-import/objects/owner.ts';
import { diskOf } from '../../controller/machine-import/observe/observe-transfer.ts';
import { isOvertaken, reconcileImport } from '../../controller/machine-import/reconcile.ts';
import type { TransferResult } from '../../controller/machine-import/transfers/transfer-record.ts';
import { TransferStore } from '../../controller/machine-import/transfers/transfer-store.ts';
import type { KubernetesObject } from '../../domain/kubernetes-object.ts';
import type { Machine } from '../../domain/machine.ts';
import type { Requeue } from '../../lib/work-queue.ts';
import type { Cluster } from '../../ports/cluster.ts';
import { aMachine } from '../kubevirt/sample-machines.ts';
import { ManualClock } from '../manual-clock.ts';
import { MemoryCluster } from '../memory-cluster.ts';
import { ClusterMachinery, type WorkerEnd, type WorkerRun } from './cluster-machinery.ts';
import { FakeCdi, type UploadScript } from './fake-cdi.ts';
import { FakeImageImporter, type ImageScript } from './fake-image-importer.ts';
import { FakeOvaAdapter } from './fake-ova-adapter.ts';
import { ListedObjects } from './listed-objects.ts';

const NAMESPACE = 'vms';

export const someResult: TransferResult = {
  virtualSizeBytes: 1000,
  allocatedBytes: 100,
  dataBytes: 100,
  fetchedBytes: 50,
  writtenBytes: 100,
  copyMs: 1000,
  verifyMs: 100,
  resumes: 0,
  format: 'vmdk streamOptimized',
  digest: { root: 'ab'.repeat(32), sectionBytes: 4_194_304, sections: [] },
  storedDigests: [],
};

export interface JourneyOptions {
  readonly machine?: Partial<Machine>;
  readonly storageClass?: Partial<StorageClass>;
  /** What workers do; unless told, they finish at once. */
  readonly work?: (run: WorkerRun, journey: ImportJourney) => Promise<WorkerEnd>;
  readonly neverBinds?: (claim: string) => boolean;
  readonly machinesGetReady?: boolean;
  /** On Harvester: there are images, and somebody who imports them; what that one says of each. */
  readonly images?: ImageScript | true;
  /** Where there is CDI, to which disks are sent; what it says of each. */
  readonly uploads?: UploadScript | true;
}

/** Imports on a cluster in memory, from their creation to their end, with everything but the copying being the product's own code. */
export class ImportJourney {
  readonly clock = new ManualClock();
  readonly cluster: MemoryCluster;
  readonly adapter: FakeOvaAdapter;
  readonly events: {
    readonly about: string;
    readonly type: string;
    readonly reason: string;
    readonly message: string;
  }[] = [];
  readonly #machinery: ClusterMachinery;
  readonly #importer: FakeImageImporter | undefined;
  readonly cdi: FakeCdi | undefined;
  #tokens = 0;
  #parts: ImportParts;
  #objects: ListedObjects;
  /** Of the controller's own connection. */
  writes: string[] = [];

  private constructor(options: JourneyOptions) {
    this.clock.ms = Date.parse('2026-11-01T10:00:00Z');
    const kinds = [
      { kind: virtualMachineImportKind, hasStatus: true },
      { kind: ovaSourceKind, hasStatus: true },
      { kind: virtualMachineKind, hasStatus: true },
      { kind: networkAttachmentDefinitionKind },
      // Without a status of its own: test-cluster.md section 1.
      ...(options.images === undefined ? [] : [{ kind: virtualMachineImageKind }]),
      ...(options.uploads === undefined ? [] : [{ kind: dataVolumeKind, hasStatus: true }]),
    ];
    this.cluster = new MemoryCluster({ clock: this.clock, kinds });
    this.adapter = new FakeOvaAdapter(aMachine(options.machine));
    this.cluster.onWrite(({ client, verb, kind, name, subresource, isChange }) => {
      if (client.startsWith('controller') && isChange)
        this.writes.push(`${verb} ${kind.kind} ${name}${subresource === undefined ? '' : ` ${subresource}`}`);
    });
    const { work = finishAtOnce, images, uploads, ...rest } = options;
    this.cdi = uploads && new FakeCdi(this.cluster.connect('cdi'), uploads === true ? undefined : uploads);
    const script = images === true ? undefined : images;
    this.#importer = images && new FakeImageImporter(this.cluster.connect('harvester'), script);
    this.#machinery = new ClusterMachinery({
      cluster: this.cluster.connect('kubelet'),
      clock: this.clock,
      work: (run) => work(run, this),
      ...(rest.neverBinds && { neverBinds: rest.neverBinds }),
      ...(rest.machinesGetReady === undefined ? {} : { machinesGetReady: rest.machinesGetReady }),
    });
    this.#objects = new ListedObjects(this.cluster);
    this.#parts = this.#makeParts(this.cluster.connect('controller'));
  }

  static async begin(options: JourneyOptions = {}): Promise<ImportJourney> {
    const journey = new ImportJourney(options);
    await journey.cluster.create(storageClassKind, {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: 'fast', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
      provisioner: 'example',
      volumeBindingMode: 'Immediate',
      ...options.storageClass,
    });
    await journey.cluster.create(ovaSourceKind, {
      apiVersion: API_VERSION,
      kind: 'OvaSource',
      metadata: { name: 'files', namespace: NAMESPACE },
      spec: { url: 'https://files.example/app.ova' },
    });
    return journey;
  }

  /** The parts of the controller that is running now. */
  get parts(): ImportParts {
    return this.#parts;
  }

  /** A new process: nothing is remembered. */
  restartController(connection: Cluster = this.cluster.connect('controller')): void {
    this.#objects = new ListedObjects(this.cluster);
    this.#parts = this.#makeParts(connection);
  }

  async create(name: string, spec: object = {}, status?: object): Promise<StoredVirtualMachineImport> {
    const sourceCluster = { apiVersion: API_VERSION, kind: 'OvaSource', name: 'files', namespace: NAMESPACE };
    const object = {
      apiVersion: API_VERSION,
      kind: 'VirtualMachineImport',
      metadata: { name, namespace: NAMESPACE },
      spec: { sourceCluster, virtualMachineName: name, ...spec },
    };
    const created = await this.cluster.create(virtualMachineImportKind, object);
    if (status === undefined) return created;
    return await this.cluster.patch(
      virtualMachineImportKind,
      { namespace: NAMESPACE, name },
      { status: status as never },
      { subresource: 'status' },
    );
  }

  async get(name: string): Promise<StoredVirtualMachineImport> {
    const found = await this.cluster.get(virtualMachineImportKind, { namespace: NAMESPACE, name });
    if (found === undefined) throw new Error(`import ${name} is gone`);
    return found;
  }

  async edit(name: string, spec: object): Promise<void> {
    await this.cluster.patch(virtualMachineImportKind, { namespace: NAMESPACE, name }, { spec: spec as never });
  }

  async delete(name: string): Promise<void> {
    await this.cluster.delete(virtualMachineImportKind, { namespace: NAMESPACE, name });
  }

  /** One look at one import. Being overtaken by somebody else's write is no failure. */
  async step(name: string): Promise<Requeue> {
    await this.#objects.refresh();
    try {
      return await reconcileImport(this.#parts, { namespace: NAMESPACE, name });
    } catch (error) {
      if (isOvertaken(error)) return { afterMs: 0 };
      throw error;
    }
  }

  /** Everything else in the cluster does its next thing. */
  async turn(): Promise<void> {
    this.cluster.collectGarbage();
    await this.#machinery.turn();
    await this.#importer?.turn();
    await this.cdi?.turn();
  }

  /** Steps and turns until it says so; the clock moves one second each. Returns the states that were passed. */
  async run(name: string, until: (each: StoredVirtualMachineImport) => boolean, mostSteps = 60): Promise<string[]> {
    const passed: string[] = [];
    for (let steps = 0; steps < mostSteps; steps += 1) {
      const requeue = await this.step(name);
      const now = await this.cluster.get(virtualMachineImportKind, { namespace: NAMESPACE, name });
      const state = now?.status?.importStatus ?? '';
      if (passed.at(-1) !== state) passed.push(state);
      if (now === undefined || until(now)) return passed;
      if (requeue === undefined || requeue === 'backoff' || requeue.afterMs > 0) {
        await this.turn();
        this.clock.ms += 1000;
      }
    }
    throw new Error(
      `not there after ${mostSteps} steps: ${JSON.stringify((await this.get(name)).status, undefined, 2)}`,
    );
  }

  /** What this import and its controller left, by kind and name. */
  async inventory(): Promise<string[]> {
    this.cluster.collectGarbage();
    const kinds = await import('../../api/core-kinds.ts');
    const watched = [
      kinds.jobKind,
      kinds.podKind,
      kinds.configMapKind,
      kinds.secretKind,
      kinds.persistentVolumeClaimKind,
      virtualMachineKind,
      virtualMachineImportKind,
    ];
    const found: string[] = [];
    if (this.#importer !== undefined) watched.push(virtualMachineImageKind);
    if (this.cdi !== undefined) watched.push(dataVolumeKind);
    for (const kind of watched)
      for await (const each of this.cluster.list<KubernetesObject>(kind))
        found.push(`${kind.kind} ${each.metadata.name}`);
    return found.toSorted();
  }

  #makeParts(cluster: Cluster): ImportParts {
    return {
      cluster,
      clock: this.clock,
      adapters: new Map([['ovasource', this.adapter]]),
      objects: this.#objects,
      transfers: new TransferStore(cluster, () => 'CA'),
      slots: { blocked: () => undefined, take: () => undefined, release() {}, wait() {} },
      events: {
        record: ({ metadata }, { type, reason, message }) =>
          void this.events.push({ about: metadata.name, type, reason, message }),
      },
      live: new Map(),
      preflights: new Map(),
      changes: new ImportChanges(),
      worker: { image: 'airlift:test', endpointUrl: 'https://endpoint.example', resources: {}, userId: 107 },
      airliftVersion: '1.2.3',
      uploads: this.cdi && { namespace: 'cdi', url: 'https://cdi-uploadproxy.cdi.svc/v1beta1/upload' },
      images: this.#importer && {
        baseUrl: 'http://airlift.example:8080',
        createToken: () => {
          this.#tokens += 1;
          return `token-number-${this.#tokens}`;
        },
      },
    };
  }
}

/** The worker's result, stored as the endpoint would; where it hands the disk out, once that was taken. */
export async function finishAtOnce(run: WorkerRun, journey: ImportJourney): Promise<WorkerEnd> {
  const place = await placeOf(run, journey);
  const { transfers, live } = journey.parts;
  const { state } = await transfers.read(place);
  if (state.stage === 'serve' && journey.cdi !== undefined) {
    for await (const each of journey.cluster.list(dataVolumeKind)) {
      if (diskOf(each) !== run.disk || !isTakenBy(journey.cdi, each)) continue;
      await transfers.saveServed(place, run.epoch, someResult);
      return { exitCode: 0 };
    }
    return 'goesOn';
  }
  if (state.stage === 'serve') {
    const id = namesOf(run.importUid).transfer(run.disk);
    live.set(id, { phase: 'serve', doneBytes: 1, totalBytes: 100, at: journey.clock.ms });
    const ref = { namespace: NAMESPACE, name: namesOf(run.importUid).image(run.disk) };
    const image = await journey.cluster.get(virtualMachineImageKind, ref);
    const isTaken = image?.status?.conditions?.some(({ type, status }) => type === 'Imported' && status === 'True');
    if (!isTaken) return 'goesOn';
    await transfers.saveServed(place, run.epoch, someResult);
  } else await transfers.saveResult(place, run.epoch, someResult);
  return { exitCode: 0 };
}

/** Sends the disk when CDI takes it; true once CDI says that it has it. */
function isTakenBy({ filled }: FakeCdi, { metadata, status }: DataVolume): boolean {
  if (status?.phase === 'UploadReady') filled.add(metadata.uid ?? '');
  return status?.phase === 'Succeeded';
}

export async function placeOf({ importUid, disk }: WorkerRun, { cluster }: ImportJourney) {
  for await (const each of cluster.list(virtualMachineImportKind)) {
    if (each.metadata.uid !== importUid) continue;
    return { namespace: NAMESPACE, owner: ownerOf(each as never), disk };
  }
  throw new Error(`no import has uid ${importUid}`);
}
