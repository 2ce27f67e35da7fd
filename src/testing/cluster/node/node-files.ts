import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { CertificateAuthority } from '../certificate-authority.ts';
import { renderKubeconfig } from '../kubeconfig.ts';
import type { NodeNetwork } from './cluster-network.ts';

export interface NodeFilesOptions {
  /** The node's own. */
  readonly folder: string;
  readonly name: string;
  readonly network: NodeNetwork;
  readonly clusterCidr: string;
  readonly cgroup: string;
  readonly server: string;
  readonly authority: CertificateAuthority;
  readonly sandboxImage: string;
  /** containerd gives a Pod's block devices to the Pod's user (device_ownership_from_security_context); without it only root can open them. */
  readonly givesDevicesToPodUser: boolean;
}

/** Inside the node and, in the node's folder, outside. */
export const CONTAINERD_SOCKET = '/run/containerd.sock';

export interface NodeFiles {
  readonly containerdConfig: string;
  readonly kubeletArguments: readonly string[];
  readonly kubeProxyArguments: readonly string[];
}

/** Writes what containerd, the kubelet and kube-proxy of one node read. */
export async function writeNodeFiles(options: NodeFilesOptions): Promise<NodeFiles> {
  const { folder, name, network, authority, server } = options;
  const path = (file: string) => join(folder, 'etc', file);
  await mkdir(path('cni'), { recursive: true });
  const write = (file: string, content: string) => writeFile(path(file), content, { mode: 0o600 });
  const caPem = authority.certificatePem;
  const writeKubeconfig = async (file: string, user: string, organizations: readonly string[]) => {
    const client = await authority.issue({ commonName: user, organizations });
    await write(file, renderKubeconfig({ name: 'test', server, caPem, user, client }));
  };

  const serving = await authority.issue({
    commonName: `system:node:${name}`,
    organizations: ['system:nodes'],
    hosts: [network.address, name],
  });
  await write('ca.crt', caPem);
  await write('kubelet.crt', serving.certificatePem);
  await write('kubelet.key', serving.keyPem);
  await writeKubeconfig('kubelet.kubeconfig', `system:node:${name}`, ['system:nodes']);
  await writeKubeconfig('kube-proxy.kubeconfig', 'system:kube-proxy', []);
  await write('containerd.toml', containerdConfig(options));
  await write('cni/10-pods.conflist', JSON.stringify(cniConfig(options)));
  await write('kubelet.yaml', stringify(kubeletConfig(options, path)));
  await write('kube-proxy.yaml', stringify(kubeProxyConfig(options, path)));
  return {
    containerdConfig: path('containerd.toml'),
    kubeletArguments: [
      `--config=${path('kubelet.yaml')}`,
      `--kubeconfig=${path('kubelet.kubeconfig')}`,
      `--hostname-override=${name}`,
      `--node-ip=${network.address}`,
      `--root-dir=${join(folder, 'kubelet')}`,
    ],
    kubeProxyArguments: [`--config=${path('kube-proxy.yaml')}`, `--hostname-override=${name}`],
  };
}

/** Its state lies in the node's /run, which begins anew with each boot; images lie in the node's folder. */
function containerdConfig({ folder, sandboxImage, givesDevicesToPodUser }: NodeFilesOptions): string {
  const text = (value: string) => JSON.stringify(value);
  return [
    'version = 2',
    `root = ${text(join(folder, 'containerd'))}`,
    'state = "/run/containerd"',
    '[grpc]',
    `address = ${text(CONTAINERD_SOCKET)}`,
    '[plugins."io.containerd.grpc.v1.cri"]',
    `sandbox_image = ${text(sandboxImage)}`,
    `device_ownership_from_security_context = ${givesDevicesToPodUser}`,
    // Where we run in a container ourselves, a score below our own is refused.
    'restrict_oom_score_adj = true',
    '[plugins."io.containerd.grpc.v1.cri".containerd]',
    'snapshotter = "overlayfs"',
    '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]',
    'runtime_type = "io.containerd.runc.v2"',
    '[plugins."io.containerd.grpc.v1.cri".cni]',
    'bin_dir = "/usr/lib/cni"',
    `conf_dir = ${text(join(folder, 'etc/cni'))}`,
    '',
  ].join('\n');
}

/** Each Pod hangs on a cable of its own, and everything is routed: the kernel then sees a Service's connections between Pods of one node too. Nothing is masqueraded. */
function cniConfig({ network }: NodeFilesOptions): object {
  return {
    cniVersion: '0.4.0',
    name: 'pods',
    plugins: [
      {
        type: 'ptp',
        ipMasq: false,
        ipam: { type: 'host-local', subnet: network.podCidr, routes: [{ dst: '0.0.0.0/0' }] },
      },
    ],
  };
}

function kubeletConfig({ folder, cgroup }: NodeFilesOptions, path: (file: string) => string): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    containerRuntimeEndpoint: `unix://${CONTAINERD_SOCKET}`,
    authentication: {
      x509: { clientCAFile: path('ca.crt') },
      webhook: { enabled: true },
      anonymous: { enabled: false },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: path('kubelet.crt'),
    tlsPrivateKeyFile: path('kubelet.key'),
    cgroupRoot: cgroup,
    cgroupDriver: 'cgroupfs',
    failCgroupV1: false,
    enforceNodeAllocatable: [],
    failSwapOn: false,
    localStorageCapacityIsolation: false,
    resolvConf: '',
    volumePluginDir: join(folder, 'volume-plugins'),
    // The disk is shared with everything else on this machine, whose being full says nothing about the node.
    evictionHard: {
      'memory.available': '0%',
      'nodefs.available': '0%',
      'imagefs.available': '0%',
      'nodefs.inodesFree': '0%',
    },
    imageGCHighThresholdPercent: 100,
    // A node that died is noticed as fast as the controller manager is told to.
    nodeStatusUpdateFrequency: '4s',
    nodeLeaseDurationSeconds: 12,
    maxPods: 200,
  };
}

/** Services reach Pods by it, and the API's own service reaches the API. Limits of connection tracking are the machine's and left alone. */
function kubeProxyConfig({ clusterCidr }: NodeFilesOptions, path: (file: string) => string): object {
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clientConnection: { kubeconfig: path('kube-proxy.kubeconfig') },
    mode: 'iptables',
    clusterCIDR: clusterCidr,
    iptables: { syncPeriod: '30s', minSyncPeriod: '0s' },
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  };
}
