import { beforeEach, describe, expect, test } from 'vitest';
import { leaseKind } from '../../api/core-kinds.ts';
import { CONTROLLER_LEASE } from '../../api/literals.ts';
import { ProblemError } from '../../domain/problems.ts';
import { aClusterFor } from '../../testing/cluster-samples.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { MemoryCluster } from '../../testing/memory-cluster.ts';
import { lookForController } from './look-for-controller.ts';

const NOW = Date.parse('2026-11-01T10:00:00Z');
let cluster: MemoryCluster;
beforeEach(() => {
  cluster = aClusterFor(new FakeClock());
});

async function hold(namespace: string, agoMs: number, holderIdentity = 'controller-0', name = CONTROLLER_LEASE) {
  const renewTime = new Date(NOW - agoMs).toISOString().replace('Z', '000Z');
  await cluster.create(leaseKind, {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name, namespace },
    spec: { holderIdentity, renewTime },
  });
}

describe('lookForController', () => {
  test('one that renews its lease is there, whichever namespace it is in', async () => {
    await hold('old', 3_600_000);
    await hold('harvester-system', 2_000);
    expect(await lookForController(cluster, NOW)).toBeUndefined();
  });

  test('a clock that is behind theirs is no sign of absence', async () => {
    await hold('harvester-system', -300_000);
    expect(await lookForController(cluster, NOW)).toBeUndefined();
  });

  test('none that ever was is missing', async () => {
    await hold('kube-system', 1_000, 'somebody', 'kube-scheduler');
    expect(await lookForController(cluster, NOW)).toEqual({
      severity: 'warning',
      code: 'ControllerMissing',
      message: 'nobody acts on imports: no controller holds its lease',
    });
  });

  test('one that is silent is missing, with how long', async () => {
    await hold('harvester-system', 600_000);
    expect((await lookForController(cluster, NOW))?.message).toBe(
      'nobody acts on imports: the lease harvester-system/airlift-controller was last renewed 10 min 00 s ago',
    );
  });

  test('one that gave its lease back is missing', async () => {
    await hold('harvester-system', 1_000, '');
    expect((await lookForController(cluster, NOW))?.code).toBe('ControllerMissing');
  });

  test('nothing is said where this user may not look', async () => {
    cluster.failNext({ verb: 'list', kind: 'Lease' }, new ProblemError('ClusterForbidden', 'may not list leases'));
    expect(await lookForController(cluster, NOW)).toBeUndefined();
  });

  test('that the cluster cannot be asked at all is told', async () => {
    cluster.failNext({ verb: 'list', kind: 'Lease' }, new ProblemError('ClusterUnreachable', 'cut by the test'));
    await expect(lookForController(cluster, NOW)).rejects.toMatchObject({ code: 'ClusterUnreachable' });
  });
});
