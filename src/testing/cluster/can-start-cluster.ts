import { existsSync } from 'node:fs';
import { requirePresent, requireTool } from '../require-tool.ts';

const NODE_PROGRAMS = ['containerd', 'ctr', 'runc', 'iptables', 'ip', 'busybox', 'unshare', 'nsenter', 'losetup'];

/** True when `startCluster` works here; false skips its tests, or throws where nothing may be skipped. Go need not be there: it is fetched. */
export function canStartCluster(): boolean {
  return requirePresent('Linux', process.platform === 'linux') && requireTool('etcd') && requireTool('flock');
}

/** The same for a cluster with a node. */
export function canStartNode(): boolean {
  return (
    canStartCluster() &&
    requirePresent('the right to make a node (root)', process.getuid?.() === 0) &&
    requirePresent('the CNI plugins', existsSync('/usr/lib/cni/ptp')) &&
    NODE_PROGRAMS.every(requireTool)
  );
}
