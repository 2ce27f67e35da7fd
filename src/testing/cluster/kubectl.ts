import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { clusterEnvironment } from './cluster-environment.ts';

export interface KubectlOptions {
  /** Given to its standard input. */
  readonly input?: string;
  /** Another user's; the admin's unless told. */
  readonly kubeconfigPath?: string;
  readonly signal?: AbortSignal;
}

/** Runs kubectl and returns what it prints; rejects with its own words. */
export type Kubectl = (args: readonly string[], options?: KubectlOptions) => Promise<string>;

export function kubectlFor(program: string, folder: string, adminKubeconfigPath: string): Kubectl {
  return (args, { input, kubeconfigPath = adminKubeconfigPath, signal } = {}) =>
    new Promise((resolve, reject) => {
      const env = { ...clusterEnvironment(folder), KUBECONFIG: kubeconfigPath, KUBECACHEDIR: join(folder, 'kubectl') };
      const child = execFile(
        program,
        [...args],
        { env, maxBuffer: 256 * 1024 * 1024, ...(signal === undefined ? {} : { signal }) },
        (error, stdout, stderr) => {
          if (error === null) resolve(stdout);
          else reject(new Error(`kubectl ${args.join(' ')}: ${stderr.trim() || error.message}`, { cause: error }));
        },
      );
      child.stdin?.on('error', () => undefined); // It ended without reading all; its exit code tells.
      child.stdin?.end(input ?? '');
    });
}
