import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import type { Pod } from '../../src/api/core-kinds.ts';
import { customResourceDefinitions } from '../../src/api/custom-resource-definition.ts';
import type { StoredVirtualMachineImport } from '../../src/api/virtual-machine-import.ts';
import {
  FRESH,
  readRecord,
  type TransferState,
} from '../../src/controller/machine-import/transfers/transfer-record.ts';
import type { LocalVolume } from '../../src/testing/cluster/node/local-volume.ts';
import { type ClusterUser, startCluster, type TestCluster } from '../../src/testing/cluster/start-cluster.ts';
import { HttpFileServer, type HttpFileServerOptions } from '../../src/testing/http-file-server.ts';
import { buildOva } from '../../src/testing/ova-builder.ts';
import { buildLargeDisk } from '../large-disk.ts';
import { buildTestImage, type TestImage } from './build-test-image.ts';
import { createControllerAccount } from './controller-account.ts';
import { ControllerProcess } from './controller-process.ts';
import { eventually } from './eventually.ts';
import { PASSWORD, USER } from './import-objects.ts';

const IMPORT_UID = 'migration.harvesterhci.io/import-uid';
const DISK = 'migration.harvesterhci.io/disk';

/** A cluster with a node that knows our image, a controller as a process of its own, and what a test asks of both. */
export class ImportWorld implements AsyncDisposable {
  readonly cluster: TestCluster;
  readonly #user: ClusterUser;
  readonly #image: TestImage;
  readonly #servers: HttpFileServer[] = [];
  #controller: ControllerProcess | undefined;
  /** Of controllers that ended. */
  #output = '';

  private constructor(parts: {
    readonly cluster: TestCluster;
    readonly user: ClusterUser;
    readonly image: TestImage;
  }) {
    this.cluster = parts.cluster;
    this.#user = parts.user;
    this.#image = parts.image;
  }

  /** Pods of the namespace `default` are held to Pod Security "restricted". No controller runs yet. */
  static async start(): Promise<ImportWorld> {
    // The image is built beside the cluster's start, which mostly waits.
    const building = buildTestImage();
    building.catch(() => {});
    const cluster = await startCluster({
      node: true,
      crds: ['kubevirt', 'network-attachments', ...customResourceDefinitions()],
    });
    try {
      const image = await building;
      await cluster.node.loadImage(image.archive);
      const user = await createControllerAccount(cluster);
      await cluster.kubectl(['label', 'namespace', 'default', 'pod-security.kubernetes.io/enforce=restricted']);
      return new ImportWorld({ cluster, user, image });
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopController('SIGKILL');
    for (const server of this.#servers) await server[Symbol.asyncDispose]();
    await this.cluster[Symbol.asyncDispose]();
  }

  /** At the address of the one before: workers go on talking to it. */
  async startController(env: Readonly<Record<string, string>> = {}): Promise<void> {
    const port = this.#controller?.port;
    this.#controller = await ControllerProcess.start({
      cluster: this.cluster,
      user: this.#user,
      image: this.#image.name,
      port,
      env,
    });
  }

  async stopController(signal?: NodeJS.Signals): Promise<void> {
    await this.#controller?.stop(signal);
  }

  async restartController(env?: Readonly<Record<string, string>>, signal?: NodeJS.Signals): Promise<void> {
    await this.stopController(signal);
    this.#output = this.controllerOutput;
    await this.startController(env);
  }

  get imageName(): string {
    return this.#image.name;
  }

  get controllerUrl(): string {
    return this.#controller?.url ?? '';
  }

  get controllerOutput(): string {
    return this.#output + (this.#controller?.output ?? '');
  }

  /** One more node that takes workers. */
  async addNode() {
    const node = await this.cluster.addNode();
    await node.loadImage(this.#image.archive);
    return node;
  }

  /** A web server that Pods reach; it asks for the account of import-objects.ts unless told. */
  async serve(
    files: HttpFileServerOptions['files'],
    { hasAccount = true, address = this.cluster.hostAddress } = {},
  ): Promise<HttpFileServer> {
    const server = await HttpFileServer.start({
      address,
      files,
      ...(hasAccount ? { credentials: { user: USER, password: PASSWORD } } : {}),
    });
    this.#servers.push(server);
    return server;
  }

  async readImport(name: string, namespace = 'default'): Promise<StoredVirtualMachineImport> {
    return JSON.parse(await this.cluster.kubectl(['get', 'vmimport', name, '-n', namespace, '-o', 'json']));
  }

  async progressOf(name: string, namespace?: string) {
    return (await this.readImport(name, namespace)).status?.progress ?? {};
  }

  async phaseOf(name: string, namespace?: string): Promise<string | undefined> {
    return (await this.progressOf(name, namespace)).phase ?? undefined;
  }

  async diskOf(name: string, index = 0) {
    return (await this.progressOf(name)).disks?.find((each) => each.index === index);
  }

  async waitForPhase(name: string, phase: string, mostMs = 120_000): Promise<void> {
    await this.eventually(async () => (await this.phaseOf(name)) === phase, mostMs);
  }

  /** What is stored of a disk's transfer. */
  async recordOf(name: string, disk = 0): Promise<TransferState> {
    const { metadata } = await this.readImport(name);
    const labels = `${IMPORT_UID}=${metadata.uid},${DISK}=${disk}`;
    const { items } = JSON.parse(await this.cluster.kubectl(['get', 'configmaps', '-l', labels, '-o', 'json']));
    return items.length === 0 ? FRESH : (readRecord(items[0])?.state ?? FRESH);
  }

  async podsOf(name: string): Promise<readonly Pod[]> {
    const { metadata } = await this.readImport(name);
    const args = ['get', 'pods', '-l', `${IMPORT_UID}=${metadata.uid}`, '-o', 'json'];
    return JSON.parse(await this.cluster.kubectl(args)).items;
  }

  /** The name of the one that runs, when there is one. */
  async runningPodOf(name: string): Promise<string> {
    let found: Pod | undefined;
    await this.eventually(async () => {
      found = (await this.podsOf(name)).find(({ status }) => status?.phase === 'Running');
      return found !== undefined;
    });
    return found?.metadata.name ?? '';
  }

  /** Everything that an import may leave, by name. */
  async inventory(namespace = 'default'): Promise<readonly string[]> {
    const kinds = 'vmimport,jobs,pods,configmaps,secrets,pvc,vm';
    const lines = await this.cluster.kubectl(['get', kinds, '-n', namespace, '-o', 'name']);
    return lines.split('\n').filter(Boolean).toSorted();
  }

  /** Fails with everything there is, so that nobody has to run it again to see. */
  async eventually(isSo: () => Promise<boolean>, mostMs = 60_000): Promise<void> {
    await eventually(isSo, () => this.#whatIsThere(), { mostMs });
  }

  async #whatIsThere(): Promise<string> {
    const kinds = 'vmimport,pods,jobs,pvc,events';
    const objects = await this.cluster.kubectl(['get', kinds, '--all-namespaces', '-o', 'wide']);
    const path = '-o=jsonpath={range .items[*]}{.metadata.name}: {.status.progress}{"\\n"}{end}';
    const progress = await this.cluster.kubectl(['get', 'vmimport', '--all-namespaces', path]);
    return `${objects}\n${progress}\n${this.controllerOutput.slice(-8000)}`;
  }
}

export interface Appliance {
  readonly ova: Uint8Array;
  /** What the guest sees of its disk. */
  readonly content: Buffer;
  readonly dataBytes: number;
}

/** A machine with one disk, of which half the data does not compress, so that the file has about half its size. */
export async function buildAppliance(virtualSizeBytes: number, dataBytes: number): Promise<Appliance> {
  const { vmdk, content } = await buildLargeDisk({ virtualSizeBytes, dataBytes, seed: 5 });
  const ova = buildOva({
    machines: [{ id: 'web', name: 'web', disks: [{ fileName: 'disk.vmdk', capacityBytes: content.length }] }],
    contents: { 'disk.vmdk': vmdk },
    manifest: 'sha256',
  });
  return { ova, content, dataBytes };
}

export async function expectSame(volume: LocalVolume, content: Buffer): Promise<void> {
  const written = await volume.read(0, content.length);
  const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
  expect(digest(written)).toBe(digest(content));
}
