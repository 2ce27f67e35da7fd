import {
  type ConfigMap,
  configMapKind,
  jobKind,
  persistentVolumeClaimKind,
  podKind,
  secretKind,
} from '../../src/api/core-kinds.ts';
import { customResourceDefinitions } from '../../src/api/custom-resource-definition.ts';
import { API_VERSION, IMPORT_UID_LABEL, MANAGED_BY, MANAGED_BY_LABEL } from '../../src/api/literals.ts';
import { virtualMachineKind } from '../../src/api/platform-kinds.ts';
import { type StoredVirtualMachineImport, virtualMachineImportKind } from '../../src/api/virtual-machine-import.ts';
import { namesOf } from '../../src/controller/machine-import/names.ts';
import type { KubernetesObject, ResourceKind } from '../../src/domain/kubernetes-object.ts';
import type { KubeCluster } from '../../src/kube/kube-cluster.ts';
import { loadAccess } from '../../src/kube/load-access.ts';
import { openKubeCluster } from '../../src/kube/open-kube-cluster.ts';
import { systemClock } from '../../src/main/system-clock.ts';
import { type ClusterUser, startCluster, type TestCluster } from '../../src/testing/cluster/start-cluster.ts';
import { HttpFileServer } from '../../src/testing/http-file-server.ts';
import { buildOva } from '../../src/testing/ova-builder.ts';
import { buildLargeDisk } from '../large-disk.ts';
import { createControllerAccount } from './controller-account.ts';

const MIB = 1024 * 1024;
const NAMESPACE = 'default';
const madeKinds: readonly ResourceKind[] = [
  jobKind,
  podKind,
  configMapKind,
  secretKind,
  persistentVolumeClaimKind,
  virtualMachineKind,
];

/** A control plane, a source, and an account for the controller: for journeys whose workers move no bytes (SimulatedWorkers). */
export class SimulatedSite implements AsyncDisposable {
  readonly cluster: TestCluster;
  /** As administrator. */
  readonly api: KubeCluster;
  readonly user: ClusterUser;
  readonly #server: HttpFileServer;

  private constructor(cluster: TestCluster, api: KubeCluster, user: ClusterUser, server: HttpFileServer) {
    this.cluster = cluster;
    this.api = api;
    this.user = user;
    this.#server = server;
  }

  /** @param disks of the source's machine */
  static async start({ disks: count = 2 } = {}): Promise<SimulatedSite> {
    const cluster = await startCluster({ crds: ['kubevirt', 'network-attachments', ...customResourceDefinitions()] });
    const user = await createControllerAccount(cluster);
    const access = await loadAccess({ clock: systemClock, kubeconfig: cluster.admin.kubeconfigPath });
    const api = openKubeCluster(access, { clock: systemClock, random: Math.random });
    const { vmdk } = await buildLargeDisk({ virtualSizeBytes: MIB, dataBytes: MIB, seed: 1 });
    const names = Array.from({ length: count }, (_, index) => `disk${index}.vmdk`);
    const disks = names.map((fileName) => ({ fileName, capacityBytes: MIB }));
    const contents = Object.fromEntries(names.map((name) => [name, vmdk]));
    const server = await HttpFileServer.start({
      files: { '/web.ova': buildOva({ machines: [{ id: 'web', disks }], contents }) },
    });
    await cluster.apply([
      {
        apiVersion: API_VERSION,
        kind: 'OvaSource',
        metadata: { name: 'files', namespace: NAMESPACE },
        spec: { url: server.url('/web.ova') },
      },
      {
        apiVersion: 'storage.k8s.io/v1',
        kind: 'StorageClass',
        metadata: { name: 'simulated', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
        provisioner: 'kubernetes.io/no-provisioner',
        volumeBindingMode: 'WaitForFirstConsumer',
      },
    ]);
    return new SimulatedSite(cluster, api, user, server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
    await this.api[Symbol.asyncDispose]();
    await this.cluster[Symbol.asyncDispose]();
  }

  /** Returns its uid. */
  async createImport(name: string): Promise<string> {
    const sourceCluster = { apiVersion: API_VERSION, kind: 'OvaSource', name: 'files', namespace: NAMESPACE };
    const { metadata } = await this.api.create(virtualMachineImportKind, {
      apiVersion: API_VERSION,
      kind: 'VirtualMachineImport',
      metadata: { name, namespace: NAMESPACE },
      spec: { virtualMachineName: name, sourceCluster, run: false },
    });
    return metadata.uid ?? '';
  }

  async readImport(name: string): Promise<StoredVirtualMachineImport | undefined> {
    return await this.api.get(virtualMachineImportKind, { namespace: NAMESPACE, name });
  }

  async phaseOf(name: string): Promise<string> {
    return (await this.readImport(name))?.status?.progress?.phase ?? '';
  }

  /** Of the endpoint, as workers are told it. */
  async readEndpointCa(): Promise<string> {
    const labels = { [MANAGED_BY_LABEL]: MANAGED_BY };
    for await (const { data } of this.api.list<ConfigMap>(configMapKind, { namespace: NAMESPACE, labels }))
      if (data?.['ca.crt'] !== undefined) return data['ca.crt'];
    throw new Error('no ConfigMap of a transfer is there yet');
  }

  /**
   * What an import has made and what it says of itself, without what differs between two of them: names, times, versions. A transfer that was announced and could not be begun, since its
   * controller died or the API failed, is announced anew, so an epoch may be more than without; and when a worker was last heard of is not kept.
   */
  async stateOf(name: string, uid: string): Promise<unknown> {
    const objects: unknown[] = [];
    for (const kind of madeKinds)
      for await (const each of this.api.list<KubernetesObject>(kind, {
        namespace: NAMESPACE,
        labels: { [IMPORT_UID_LABEL]: uid },
      }))
        objects.push(withoutContents(each));
    const { metadata, status } = (await this.readImport(name)) ?? {};
    const text = JSON.stringify({ finalizers: metadata?.finalizers, status, objects })
      .replaceAll(namesOf(uid).id, 'ID')
      .replaceAll(name, 'NAME')
      .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UID')
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, 'TIME')
      .replace(/"epoch":[1-9],/g, '"epoch":"EPOCH",')
      .replace(/"resourceVersion":"\d+"/g, '"resourceVersion":"VERSION"');
    return JSON.parse(text, (key, value) => (key === 'lastProgressTime' ? undefined : value));
  }
}

/** Of a ConfigMap only which keys it has: plan and report hold times in a form of their own. */
function withoutContents(object: KubernetesObject): object {
  const { data, binaryData, ...rest } = object as ConfigMap;
  const keys = [...Object.keys(data ?? {}), ...Object.keys(binaryData ?? {})];
  return keys.length === 0 ? rest : { ...rest, keys };
}
