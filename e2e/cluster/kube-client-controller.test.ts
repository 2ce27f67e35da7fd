import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { configMapKind, leaseKind } from '../../src/api/core-kinds.ts';
import type { KubeCluster } from '../../src/kube/kube-cluster.ts';
import { leadWhileElected } from '../../src/kube/leader-election.ts';
import { loadAccess } from '../../src/kube/load-access.ts';
import { openKubeCluster } from '../../src/kube/open-kube-cluster.ts';
import { EventRecorder } from '../../src/kube/record-event.ts';
import { systemClock } from '../../src/main/system-clock.ts';
import { startCluster, type TestCluster } from '../../src/testing/cluster/start-cluster.ts';
import { eventually } from '../../src/testing/cluster-compliance/compliance-case.ts';

let testCluster: TestCluster;
let cluster: KubeCluster;
beforeAll(async () => {
  testCluster = await startCluster();
  const access = await loadAccess({ clock: systemClock, kubeconfig: testCluster.admin.kubeconfigPath });
  cluster = openKubeCluster(access, { clock: systemClock, random: Math.random });
});
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  await testCluster?.[Symbol.asyncDispose]();
});

describe('on a real API server', () => {
  test('one leads, a second takes over, and an API server that is away ends leading in time', async () => {
    const lease = { namespace: 'default', name: 'leader' };
    const times = { leaseDurationMs: 4_000, renewDeadlineMs: 2_500, retryPeriodMs: 300 };
    const leading: string[] = [];
    const candidate = (identity: string) => {
      const controller = new AbortController();
      const options = { cluster, clock: systemClock, random: Math.random, lease, identity, ...times };
      const ended = leadWhileElected(
        options,
        async ({ signal }) => {
          leading.push(identity);
          await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        },
        { signal: controller.signal },
      );
      return {
        outcome: ended.then(
          () => 'ended',
          (error) => error.code ?? error.message,
        ),
        stop: () => controller.abort(new Error('stopped')),
      };
    };
    const one = candidate('one');
    await eventually(
      () => leading.length,
      (length) => length === 1,
    );
    const two = candidate('two');
    one.stop();
    expect(await one.outcome).toBe('ended');
    await eventually(
      () => leading.length,
      (length) => length === 2,
    );
    expect(leading).toEqual(['one', 'two']);
    expect((await cluster.get(leaseKind, lease))?.spec).toMatchObject({
      holderIdentity: 'two',
      leaseTransitions: 1,
      leaseDurationSeconds: 4,
    });

    const beganMs = performance.now();
    await testCluster.stopApiServer('SIGKILL');
    expect(await two.outcome).toBe('LeadershipLost');
    expect(performance.now() - beganMs).toBeLessThan(4_000);
    await testCluster.startApiServer();
  });

  test('events are shown where people look for them, counted up', async () => {
    const metadata = { namespace: 'default', name: 'described' };
    const about = await cluster.create(configMapKind, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: {} });
    const dropped: unknown[] = [];
    const recorder = new EventRecorder({
      cluster,
      clock: systemClock,
      component: 'airlift-controller',
      instance: 'pod-1',
      onDropped: (_event, why) => dropped.push(why),
    });
    for (let times = 0; times < 3; times += 1) {
      recorder.record(about, { type: 'Warning', reason: 'TransferStalled', message: 'no byte for 60 s' });
    }
    await recorder.flush();
    expect(dropped).toEqual([]);
    const described = await testCluster.kubectl([
      'get',
      'events',
      '--namespace',
      'default',
      '--field-selector',
      'involvedObject.name=described',
      '-o',
      'jsonpath={range .items[*]}{.type} {.reason} {.count} {.message}{end}',
    ]);
    expect(described).toBe('Warning TransferStalled 3 no byte for 60 s');
  });
});
