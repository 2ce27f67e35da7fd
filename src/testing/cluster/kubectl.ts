import { join } from 'node:path';
import { clusterEnvironment } from './cluster-environment.ts';
import { type RunOptions, runProgram } from './run-program.ts';

export interface KubectlOptions extends Pick<RunOptions, 'input' | 'signal'> {
  /** Another user's; the admin's unless told. */
  readonly kubeconfigPath?: string;
}

/** Runs kubectl and returns what it prints; rejects with its own words. */
export type Kubectl = (args: readonly string[], options?: KubectlOptions) => Promise<string>;

export function kubectlFor(program: string, folder: string, adminKubeconfigPath: string): Kubectl {
  return (args, { kubeconfigPath = adminKubeconfigPath, ...options } = {}) => {
    const env = { ...clusterEnvironment(folder), KUBECONFIG: kubeconfigPath, KUBECACHEDIR: join(folder, 'kubectl') };
    return runProgram(program, args, { ...options, env });
  };
}
