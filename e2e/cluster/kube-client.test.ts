import { namespaceKind } from '../../src/api/core-kinds.ts';
import { loadAccess } from '../../src/kube/load-access.ts';
import { openKubeCluster } from '../../src/kube/open-kube-cluster.ts';
import { systemClock } from '../../src/main/system-clock.ts';
import { startCluster } from '../../src/testing/cluster/start-cluster.ts';
import { describeCluster } from '../../src/testing/cluster-compliance.ts';
import { widgetCrd } from './widget-crd.ts';

describeCluster('KubeCluster with a real Kubernetes', async () => {
  const testCluster = await startCluster();
  await testCluster.apply([widgetCrd]);
  await testCluster.kubectl(['wait', '--for=condition=Established', 'crd/widgets.testing.airlift.local']);
  const access = await loadAccess({ clock: systemClock, kubeconfig: testCluster.admin.kubeconfigPath });
  const open = (manager: string) => openKubeCluster(access, { clock: systemClock, random: Math.random, manager });
  const [cluster, other] = [open('airlift'), open('other')];
  const namespace = 'compliance';
  await cluster.create(namespaceKind, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  return {
    cluster,
    other,
    namespace,
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]();
      await other[Symbol.asyncDispose]();
      await testCluster[Symbol.asyncDispose]();
    },
  };
});
