import { CLI_FIELD_MANAGER } from '../api/literals.ts';
import type { OpenCluster } from '../app/cluster/open-cluster.ts';
import type { ClusterOptions } from '../cli/services.ts';
import { loadAccess } from '../kube/load-access.ts';
import { openKubeCluster } from '../kube/open-kube-cluster.ts';
import { forwardPort } from '../kube/port-forward.ts';
import { readPodLog } from '../kube/read-pod-log.ts';
import type { Clock } from '../ports/clock.ts';

/** The cluster of a kubeconfig, as a person's command line holds it. Nothing is asked of it yet. */
export async function openCluster({ namespace, ...wanted }: ClusterOptions, clock: Clock): Promise<OpenCluster> {
  const access = await loadAccess({ ...wanted, clock });
  const cluster = openKubeCluster(access, { clock, random: Math.random, manager: CLI_FIELD_MANAGER });
  return {
    cluster,
    namespace: namespace ?? access.namespace,
    origin: access.origin,
    remarks: access.remarks,
    forwardPort: (pod, port, options) => forwardPort(cluster.connection, pod, port, options),
    readPodLog: (pod, options) => readPodLog(cluster.connection, pod, options),
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}
