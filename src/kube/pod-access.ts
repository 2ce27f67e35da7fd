import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ProblemError } from '../domain/problems.ts';
import type { Clock } from '../ports/clock.ts';
import type { ApiAccess } from './api-access.ts';
import { TokenFileIdentity } from './token-file-identity.ts';

/** https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/#directly-accessing-the-rest-api */
const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

type Environment = Readonly<Record<string, string | undefined>>;

export function isInPod({ KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT }: Environment): boolean {
  return Boolean(KUBERNETES_SERVICE_HOST) && Boolean(KUBERNETES_SERVICE_PORT);
}

/** The cluster that this Pod is in, as its service account. */
export async function podAccess(env: Environment, clock: Clock, folder = FOLDER): Promise<ApiAccess> {
  const host = env.KUBERNETES_SERVICE_HOST ?? '';
  const server = URL.parse(`https://${host.includes(':') ? `[${host}]` : host}:${env.KUBERNETES_SERVICE_PORT}`);
  if (server === null)
    throw new ProblemError('KubeconfigUnusable', 'KUBERNETES_SERVICE_HOST and _PORT make no address');
  const read = async (file: string) => {
    try {
      return await readFile(join(folder, file), 'utf8');
    } catch (cause) {
      const detail = `${join(folder, file)} cannot be read; does the Pod mount its service account?`;
      throw new ProblemError('KubeCredentialsFailed', detail, { cause });
    }
  };
  return {
    origin: 'the service account of this Pod',
    server,
    readCa: async () => await read('ca.crt'),
    isUnverified: false,
    namespace: (await read('namespace')).trim() || 'default',
    identity: new TokenFileIdentity(join(folder, 'token'), clock),
    remarks: [],
  };
}
