import { expect, test } from 'vitest';
import type { TokenReview } from '../../api/core-kinds.ts';
import type { KubernetesObject } from '../../domain/kubernetes-object.ts';
import type { Cluster } from '../../ports/cluster.ts';
import { reviewTokenBy } from './review-token.ts';

/** A cluster that answers every review the same. */
function answering(status: TokenReview['status']) {
  const asked: TokenReview[] = [];
  const cluster = {
    async create(_kind: object, object: KubernetesObject) {
      asked.push(object as TokenReview);
      return { ...object, status };
    },
  } as unknown as Pick<Cluster, 'create'>;
  return { asked, review: reviewTokenBy(cluster) };
}

const user = {
  username: 'system:serviceaccount:team:default',
  extra: {
    'authentication.kubernetes.io/pod-name': ['airlift-x-0-1-abcde'],
    'authentication.kubernetes.io/pod-uid': ['uid-1'],
    'authentication.kubernetes.io/node-name': ['node1'],
  },
};

test('asks for our audience and reads what the token is bound to', async () => {
  const { asked, review } = answering({ authenticated: true, audiences: ['airlift'], user });
  expect(await review('the token')).toEqual({
    audiences: ['airlift'],
    namespace: 'team',
    serviceAccount: 'default',
    podName: 'airlift-x-0-1-abcde',
    podUid: 'uid-1',
    node: 'node1',
  });
  expect(asked).toMatchObject([{ kind: 'TokenReview', spec: { token: 'the token', audiences: ['airlift'] } }]);
});

test.each<[string, TokenReview['status'], unknown]>([
  ['one that is not authenticated', { authenticated: false, error: 'expired', user }, undefined],
  ['no answer', undefined, undefined],
  [
    'a user who is no service account',
    { authenticated: true, audiences: ['airlift'], user: { username: 'admin' } },
    undefined,
  ],
  ['an old API server, which says nothing of audiences', { authenticated: true, user }, { audiences: [] }],
  [
    'a token of no Pod',
    { authenticated: true, audiences: ['airlift'], user: { username: user.username } },
    { podName: undefined, podUid: undefined },
  ],
])('%s', async (_what, status, expected) => {
  const reviewed = await answering(status).review('the token');
  if (expected === undefined) expect(reviewed).toBeUndefined();
  else expect(reviewed).toMatchObject(expected as object);
});
