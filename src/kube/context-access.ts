import type { Finding } from '../domain/finding.ts';
import { ProblemError } from '../domain/problems.ts';
import type { Clock } from '../ports/clock.ts';
import type { ApiAccess } from './api-access.ts';
import { readDataOrFile } from './data-or-file.ts';
import type { Entry, KubeconfigCluster, MergedKubeconfig } from './kubeconfig-file.ts';
import type { RunPlugin } from './run-plugin.ts';
import { userIdentity } from './user-identity.ts';

/** What a context of a kubeconfig says. @throws ProblemError `KubeconfigUnusable` naming the entry */
export async function accessOfContext(
  config: MergedKubeconfig,
  wanted: string | undefined,
  { clock, run }: { readonly clock: Clock; readonly run: RunPlugin },
): Promise<ApiAccess> {
  const name = wanted ?? config.currentContext;
  const context = name === undefined ? undefined : config.contexts.get(name);
  if (name === undefined || context === undefined) {
    const known = [...config.contexts.keys()].join(', ') || 'none';
    const what = name === undefined ? 'the kubeconfig has no current context' : `there is no context ${name}`;
    throw new ProblemError('KubeconfigUnusable', `${what}; it knows: ${known}`);
  }
  const origin = `context ${name} of ${context.file}`;
  const cluster = config.clusters.get(context.value.cluster ?? '');
  if (cluster === undefined) {
    throw new ProblemError(
      'KubeconfigUnusable',
      `${origin} names the cluster ${context.value.cluster}, which is not there`,
    );
  }
  const user = context.value.user === undefined ? undefined : config.users.get(context.value.user);
  if (user === undefined && context.value.user !== undefined) {
    throw new ProblemError('KubeconfigUnusable', `${origin} names the user ${context.value.user}, which is not there`);
  }
  const server = serverOf(context.value.cluster ?? '', cluster);
  const isUnverified = cluster.value['insecure-skip-tls-verify'];
  const readCa = () => readDataOrFile(cluster, cluster.value, 'certificate-authority');
  // A file that is not there is told now, not at the first request.
  const ca = await readCa();
  const clusterInfo = {
    server: server.href,
    ...(cluster.value['tls-server-name'] ? { 'tls-server-name': cluster.value['tls-server-name'] } : {}),
    ...(isUnverified ? { 'insecure-skip-tls-verify': true } : {}),
    ...(ca === undefined ? {} : { 'certificate-authority-data': Buffer.from(ca).toString('base64') }),
  };
  return {
    origin,
    server,
    readCa,
    isUnverified,
    serverName: cluster.value['tls-server-name'],
    namespace: context.value.namespace ?? 'default',
    identity: await userIdentity(context.value.user ?? '', user, { clock, run, clusterInfo }),
    remarks: isUnverified ? [unverifiedRemark(server, origin)] : [],
  };
}

function serverOf(name: string, { value, file }: Entry<KubeconfigCluster>): URL {
  if (value['proxy-url']) {
    const detail = `the cluster ${name} in ${file} is reached by a proxy (proxy-url), which is not supported`;
    throw new ProblemError('KubeconfigUnusable', detail);
  }
  // Without a scheme it means https, as for kubectl.
  const address = value.server && (/^https?:\/\//i.test(value.server) ? value.server : `https://${value.server}`);
  const server = address ? URL.parse(address) : null;
  if (server === null || server.username !== '' || server.password !== '') {
    throw new ProblemError('KubeconfigUnusable', `the cluster ${name} in ${file} has no usable address (server)`);
  }
  return server;
}

function unverifiedRemark(server: URL, origin: string): Finding {
  const message = `${origin} does not check the identity of ${server.origin}`;
  return { severity: 'warning', code: 'ClusterTlsUnverified', message, subject: server.origin };
}
