import { clusterRights, ownRights, type PolicyRule } from '../../src/controller/rights.ts';
import type { ClusterUser, TestCluster } from '../../src/testing/cluster/start-cluster.ts';

const NAMESPACE = 'airlift-system';
const apiGroup = 'rbac.authorization.k8s.io';

interface AccountOptions {
  readonly name?: string;
  readonly rights?: readonly PolicyRule[];
}

/** A user that may do what the controller says it needs, and nothing else. Its namespace is there afterwards. */
export async function createControllerAccount(
  cluster: TestCluster,
  { name = 'airlift-controller', rights = clusterRights }: AccountOptions = {},
): Promise<ClusterUser> {
  const user = await cluster.createUser(name);
  const subjects = [{ apiGroup, kind: 'User', name }];
  const roleRef = { apiGroup, name };
  const apiVersion = `${apiGroup}/v1`;
  const inOwn = { name, namespace: NAMESPACE };
  const names = { lease: 'airlift-controller', endpointSecret: 'airlift-endpoint' };
  await cluster.apply([
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
    { apiVersion, kind: 'ClusterRole', metadata: { name }, rules: rights },
    {
      apiVersion,
      kind: 'ClusterRoleBinding',
      metadata: { name },
      subjects,
      roleRef: { ...roleRef, kind: 'ClusterRole' },
    },
    { apiVersion, kind: 'Role', metadata: inOwn, rules: ownRights(names) },
    { apiVersion, kind: 'RoleBinding', metadata: inOwn, subjects, roleRef: { ...roleRef, kind: 'Role' } },
  ]);
  return user;
}
