import type { ClusterScope, OpenCluster } from '../app/cluster/open-cluster.ts';
import { isKubernetesName } from '../domain/kubernetes-name.ts';
import type { CommandCall, Flags } from './define-command.ts';
import { renderFindings } from './render/findings.ts';
import { UsageError } from './usage-error.ts';

/** Which cluster, and where in it. */
export const clusterFlags = {
  namespace: {
    type: 'text',
    short: 'n',
    placeholder: 'name',
    help: 'Namespace; the one of the context unless given',
  },
  context: { type: 'text', placeholder: 'name', help: 'Context of the kubeconfig; the current one unless given' },
  kubeconfig: {
    type: 'text',
    placeholder: 'file',
    help: 'The kubeconfig; KUBECONFIG or ~/.kube/config unless given, in a Pod its service account',
  },
} as const satisfies Flags;

export const allNamespacesFlag = {
  'all-namespaces': { type: 'switch', short: 'A', help: 'Look into all namespaces' },
} as const satisfies Flags;

type ClusterCall = Pick<CommandCall<typeof clusterFlags>, 'flags' | 'services' | 'io' | 'signal'>;

/** The cluster that the flags name, with its namespace being the one meant; remarks on the connection are told. */
export async function openCluster({ flags, services, io, signal }: ClusterCall): Promise<OpenCluster> {
  const { namespace, context, kubeconfig } = flags;
  if (namespace !== undefined && !isKubernetesName(namespace))
    throw new UsageError(`--namespace "${namespace}" is no name of a namespace; use a-z, 0-9 and "-", at most 63`);
  const open = await services.openCluster({ namespace, context, kubeconfig, signal });
  if (open.remarks.length > 0) io.note(renderFindings(open.remarks, io));
  return open;
}

/** @throws UsageError for a namespace beside all of them */
export function scopeOf(
  flags: CommandCall<typeof clusterFlags & typeof allNamespacesFlag>['flags'],
  { namespace }: Pick<OpenCluster, 'namespace'>,
): ClusterScope {
  if (!flags['all-namespaces']) return { namespace };
  if (flags.namespace !== undefined)
    throw new UsageError('--namespace names one namespace; --all-namespaces takes all');
  return {};
}
