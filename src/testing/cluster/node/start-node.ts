import { join } from 'node:path';
import type { CertificateAuthority } from '../certificate-authority.ts';
import { PAUSE_IMAGE } from '../images/test-images.ts';
import type { Kubectl } from '../kubectl.ts';
import type { KubernetesPrograms } from '../kubernetes/build.ts';
import type { StepReporter } from '../step-reporter.ts';
import { clusterCgroup } from './cluster-cgroup.ts';
import type { ClusterNetwork } from './cluster-network.ts';
import { createLocalVolume, type LocalVolume, type LocalVolumeOptions } from './local-volume.ts';
import { CONTAINERD_SOCKET, type NodeFiles, writeNodeFiles } from './node-files.ts';
import { type MachineProcess, type NodeMachine, startNodeMachine } from './node-machine.ts';

export interface NodeOptions {
  readonly name: string;
  /** True unless told: containerd lets a Pod that is not root open its block volumes. Harvester has it so since 1.5; most other clusters do not. */
  readonly givesDevicesToPodUser?: boolean;
}

export interface StartNodeOptions extends NodeOptions {
  /** The cluster's. */
  readonly folder: string;
  /** Counted from 1. */
  readonly index: number;
  readonly clusterNetwork: ClusterNetwork;
  readonly server: string;
  readonly authority: CertificateAuthority;
  readonly programs: KubernetesPrograms;
  readonly kubectl: Kubectl;
  readonly imageArchives: readonly string[];
  readonly report: StepReporter;
}

export interface ContainerRef {
  readonly namespace: string;
  readonly pod: string;
  /** The first one unless told. */
  readonly container?: string;
}

/** A real node: containerd and kubelet on a machine of namespaces, from which nothing outside the cluster can be reached. */
export interface TestNode {
  readonly name: string;
  /** Where `kubectl logs` and `exec` find it. */
  readonly address: string;
  /** containerd's, as a path on this machine. */
  readonly containerdSocket: string;
  /** Runs a program of this machine inside the node. */
  readonly run: NodeMachine['run'];
  /** Makes the images of an archive (OCI or Docker) known to the kubelet, and returns their names. */
  loadImage(archivePath: string): Promise<string[]>;
  /** Ends containerd as a crash would and starts it again; containers run on meanwhile. */
  restartContainerd(): Promise<void>;
  /** SIGKILL to a container's first process. */
  killContainer(container: ContainerRef): Promise<void>;
  /** As before maintenance: no new Pods, and those there are evicted. */
  drain(): Promise<void>;
  uncordon(): Promise<void>;
  /** Everything on it ends at once, and the cluster notices after a while. */
  powerOff(): Promise<void>;
  /** Boots it again with what lies on its disks, and returns once it is ready. */
  powerOn(): Promise<void>;
  createVolume(options: LocalVolumeOptions): Promise<LocalVolume>;
}

export async function startNode(options: StartNodeOptions): Promise<TestNode> {
  const { folder, name, index, clusterNetwork, kubectl, report } = options;
  const network = clusterNetwork.node(index);
  const files = await writeNodeFiles({
    folder: join(folder, name),
    name,
    network,
    clusterCidr: clusterNetwork.cidr,
    cgroup: clusterCgroup(folder),
    server: options.server,
    authority: options.authority,
    sandboxImage: PAUSE_IMAGE,
    givesDevicesToPodUser: options.givesDevicesToPodUser ?? true,
  });

  const ctr = (args: readonly string[]) =>
    machine.run('ctr', ['--address', CONTAINERD_SOCKET, '--namespace', 'k8s.io', ...args]);
  const loadImage = async (archivePath: string) => {
    const output = await ctr(['images', 'import', archivePath]);
    return [...output.matchAll(/^unpacking (\S+) /gm)].map(([, image = '']) => image);
  };
  const boot = async () => {
    machine = await report(`${name}: machine`, () =>
      startNodeMachine({ folder, name, network, bridge: clusterNetwork.bridge }),
    );
    containerd = await report(`${name}: containerd`, () => startContainerd(machine, files));
    await report(`${name}: images`, async () => {
      for (const archive of options.imageArchives) await loadImage(archive);
    });
    await report(`${name}: kubelet ready`, async () => {
      const since = Date.now();
      await machine.start(options.programs['kube-proxy'], files.kubeProxyArguments);
      const kubelet = await machine.start(options.programs.kubelet, files.kubeletArguments);
      await kubelet.process.waitUntil('ready', () => isNodeReady(kubectl, name, since));
    });
  };
  let machine: NodeMachine;
  let containerd: MachineProcess;
  await boot();

  return {
    name,
    address: network.address,
    containerdSocket: join(folder, name, CONTAINERD_SOCKET),
    run: (program, args, runOptions) => machine.run(program, args, runOptions),
    loadImage,
    async restartContainerd() {
      await containerd.kill('SIGKILL');
      containerd = await startContainerd(machine, files);
    },
    async killContainer(container) {
      const id = await containerId(kubectl, container);
      await ctr(['tasks', 'kill', '--signal', 'SIGKILL', id]);
    },
    async drain() {
      await kubectl(['drain', name, '--ignore-daemonsets', '--delete-emptydir-data', '--force', '--timeout=120s']);
    },
    async uncordon() {
      await kubectl(['uncordon', name]);
    },
    powerOff: () => machine.powerOff(),
    powerOn: boot,
    createVolume: (volume) => createLocalVolume({ folder, node: name, kubectl }, volume),
  };
}

async function startContainerd(machine: NodeMachine, files: NodeFiles): Promise<MachineProcess> {
  const containerd = await machine.start('containerd', ['--config', files.containerdConfig]);
  await containerd.process.waitUntil('answering', async () => {
    try {
      await machine.run('ctr', ['--address', CONTAINERD_SOCKET, '--timeout', '2s', 'version']);
      return true;
    } catch {
      return false;
    }
  });
  return containerd;
}

/** Ready, and said so since then: of a node whose power was cut the API believes for a while that it still is. */
async function isNodeReady(kubectl: Kubectl, name: string, since: number): Promise<boolean> {
  const read = (args: readonly string[], path: string) =>
    kubectl(['get', ...args, name, '--ignore-not-found', '-o', `jsonpath=${path}`]);
  const renewed = await read(['lease', '--namespace', 'kube-node-lease'], '{.spec.renewTime}');
  if (!(Date.parse(renewed) >= since)) return false;
  return (await read(['node'], '{.status.conditions[?(@.type=="Ready")].status}')) === 'True';
}

interface PodStatus {
  readonly status: { readonly containerStatuses?: readonly { readonly name: string; readonly containerID?: string }[] };
}

async function containerId(kubectl: Kubectl, { namespace, pod, container }: ContainerRef): Promise<string> {
  const object = JSON.parse(await kubectl(['get', 'pod', pod, '--namespace', namespace, '-o', 'json'])) as PodStatus;
  const found = object.status.containerStatuses?.find((each) => container === undefined || each.name === container);
  const id = found?.containerID?.replace('containerd://', '');
  if (!id) throw new Error(`Pod ${namespace}/${pod} has no running container ${container ?? ''}`);
  return id;
}
