import { join } from 'node:path';
import { lockFile } from '../../go/build-go.ts';
import { clusterMark, clustersFolder } from '../cluster-folder.ts';
import { runProgram } from '../run-program.ts';

/** Of one cluster: a bridge of this machine that its nodes hang on. It leads nowhere else, and nothing on it has a default route. */
export interface ClusterNetwork {
  readonly bridge: string;
  /** Of this machine on the bridge: where nodes and Pods reach the API, and whatever a test serves. */
  readonly hostAddress: string;
  /** Of all Pods of all nodes, and of the nodes. */
  readonly cidr: string;
  /** Of the nth node, counted from 1. */
  node(index: number): NodeNetwork;
}

interface PodRoute {
  readonly podCidr: string;
  /** Of the node that they run on. */
  readonly address: string;
}

export interface NodeNetwork extends PodRoute {
  /** To the Pods of all other nodes there may ever be. */
  readonly otherPods: readonly PodRoute[];
  /** The end of the node's cable on this machine; the end in the node is `eth0`. */
  readonly link: string;
}

/** RFC 2544 keeps 198.18.0.0/15 for tests of networks: no real network of a developer or a CI has it. A cluster takes a /20 of it: one /24 for the nodes, one for the Pods of each. */
const CLUSTERS = 32;
const NODES = 14;

export async function createClusterNetwork(folder: string): Promise<ClusterNetwork> {
  // Two clusters that start at once must not find the same addresses free.
  await using _lock = await lockFile(join(clustersFolder(), 'network.lock'));
  const taken = await runProgram('ip', ['-4', 'route', 'show', 'table', 'all']);
  const block = Array.from({ length: CLUSTERS }, (_, index) => index).find(
    (index) => !taken.includes(` ${addressIn(index, 0, 1)} `),
  );
  if (block === undefined)
    throw new Error('all 32 networks for test clusters are in use: npm run cluster -- down --all');
  const network = networkOf(folder, block);
  await runProgram('ip', ['link', 'add', 'name', network.bridge, 'type', 'bridge']);
  await runProgram('ip', ['address', 'add', `${network.hostAddress}/24`, 'dev', network.bridge]);
  await runProgram('ip', ['link', 'set', network.bridge, 'up']);
  return network;
}

/** The links of a cluster on this machine; those in its nodes vanish with them. */
export async function removeClusterLinks(folder: string): Promise<void> {
  const prefix = linkPrefix(folder);
  const links = JSON.parse(await runProgram('ip', ['-json', 'link', 'show'])) as { readonly ifname: string }[];
  for (const { ifname } of links) {
    if (!ifname.startsWith(prefix)) continue;
    await runProgram('ip', ['link', 'delete', ifname]).catch((error: Error) => {
      // The node's end of the cable, and with it ours, goes when the kernel gets to it.
      if (!error.message.includes('Cannot find device')) throw error;
    });
  }
}

function networkOf(folder: string, block: number): ClusterNetwork {
  const nodes = Array.from({ length: NODES }, (_, index) => ({
    address: addressIn(block, 0, index + 2),
    podCidr: `${addressIn(block, index + 1, 0)}/24`,
  }));
  return {
    bridge: linkPrefix(folder),
    hostAddress: addressIn(block, 0, 1),
    cidr: `${addressIn(block, 0, 0)}/20`,
    node(index) {
      const node = nodes[index - 1];
      if (node === undefined) throw new Error(`a test cluster has at most ${NODES} nodes`);
      return { ...node, link: `${linkPrefix(folder)}-${index}`, otherPods: nodes.filter((each) => each !== node) };
    },
  };
}

function addressIn(block: number, subnet: number, host: number): string {
  return `198.${18 + (block >> 4)}.${(block & 15) * 16 + subnet}.${host}`;
}

/** Names of links have at most 15 characters. */
function linkPrefix(folder: string): string {
  return `al-${clusterMark(folder)}`;
}
