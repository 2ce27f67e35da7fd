import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { ProblemError } from '../domain/problems.ts';
import type { Clock } from '../ports/clock.ts';
import type { ApiAccess } from './api-access.ts';
import { accessOfContext } from './context-access.ts';
import { readKubeconfigFiles } from './kubeconfig-file.ts';
import { isInPod, podAccess } from './pod-access.ts';
import { type RunPlugin, runPlugin } from './run-plugin.ts';

export interface LoadAccessOptions {
  readonly clock: Clock;
  /** A kubeconfig that was named; nothing else is looked at then. */
  readonly kubeconfig?: string | undefined;
  /** The current one of the kubeconfig unless told. */
  readonly context?: string | undefined;
  /** This process's own unless told. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly homeFolder?: string | undefined;
  /** Where a Pod's service account is mounted. */
  readonly serviceAccountFolder?: string | undefined;
  readonly runPlugin?: RunPlugin | undefined;
}

/**
 * Which cluster is meant, by the rules everybody knows from kubectl: the files of KUBECONFIG, else ~/.kube/config, else the service account of the Pod this runs in.
 * @throws ProblemError `KubeconfigMissing`, `KubeconfigUnusable`, `KubeCredentialsFailed`
 */
export async function loadAccess(options: LoadAccessOptions): Promise<ApiAccess> {
  const { env = process.env, context, clock } = options;
  const named = options.kubeconfig ?? env.KUBECONFIG;
  const paths = named
    ? named.split(delimiter).filter((path) => path !== '')
    : [join(options.homeFolder ?? homedir(), '.kube', 'config')];
  const config = await readKubeconfigFiles(paths);
  // One that knows no cluster is as good as none: tools leave such files behind.
  if (config !== undefined && (config.clusters.size > 0 || context !== undefined)) {
    return await accessOfContext(config, context, { clock, run: options.runPlugin ?? runPlugin });
  }
  if (!named && context === undefined && isInPod(env)) return await podAccess(env, clock, options.serviceAccountFolder);
  const looked = paths.join(', ');
  if (named && config === undefined) throw new ProblemError('KubeconfigMissing', `there is no ${looked}`);
  throw new ProblemError('KubeconfigMissing', `${looked} names no cluster, and this is no Pod of one`);
}
