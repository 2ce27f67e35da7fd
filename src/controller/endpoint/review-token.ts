import { type TokenReview, tokenReviewKind } from '../../api/core-kinds.ts';
import { TOKEN_AUDIENCE } from '../../api/literals.ts';
import type { Cluster } from '../../ports/cluster.ts';
import type { ReviewedToken, ReviewToken } from './transfer-desk.ts';

/** Where the API server puts what a token is bound to (https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/). */
const EXTRA = 'authentication.kubernetes.io/';
const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;

/** Asks the cluster whose a token is. @throws ProblemError when it cannot be asked */
export function reviewTokenBy(cluster: Pick<Cluster, 'create'>): ReviewToken {
  return async (token, options) => {
    const { status } = await cluster.create(
      tokenReviewKind,
      {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenReview',
        metadata: { name: '' },
        spec: { token, audiences: [TOKEN_AUDIENCE] },
      },
      options,
    );
    return status?.authenticated === true ? identify(status) : undefined;
  };
}

function identify({ user, audiences = [] }: NonNullable<TokenReview['status']>): ReviewedToken | undefined {
  const [, namespace, serviceAccount] = SERVICE_ACCOUNT.exec(user?.username ?? '') ?? [];
  if (namespace === undefined || serviceAccount === undefined) return undefined;
  const extra = (name: string) => user?.extra?.[`${EXTRA}${name}`]?.[0];
  return {
    audiences,
    namespace,
    serviceAccount,
    podName: extra('pod-name'),
    podUid: extra('pod-uid'),
    node: extra('node-name'),
  };
}
