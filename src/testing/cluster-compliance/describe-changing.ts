import { describe, expect, test } from 'vitest';
import { configMapKind, leaseKind } from '../../api/core-kinds.ts';
import { isProblem } from '../../domain/problems.ts';
import type { Cluster } from '../../ports/cluster.ts';
import { type ComplianceCase, inParallel, widgetKind } from './compliance-case.ts';

export function describeChanging(the: () => ComplianceCase): void {
  describe('patch', () => {
    test('changes the fields given, removes those that are null, and takes lists as a whole', async () => {
      const { cluster } = the();
      await cluster.create(widgetKind, the().widget('a', { size: 1, tags: ['x', 'y'] }));
      const patched = await cluster.patch(widgetKind, the().ref(), {
        metadata: { annotations: { note: 'hello' }, labels: { test: null } },
        spec: { tags: ['z'] },
      });
      expect(patched).toMatchObject({ spec: { size: 1, tags: ['z'] }, metadata: { annotations: { note: 'hello' } } });
      expect(patched.metadata.labels ?? {}).toEqual({});
      expect(await cluster.get(widgetKind, the().ref())).toEqual(patched);
    });

    test('of a certain version applies to no other', async () => {
      const { cluster } = the();
      const first = await cluster.create(configMapKind, the().configMap());
      const { resourceVersion = '' } = first.metadata;
      const second = await cluster.patch(configMapKind, the().ref(), {
        metadata: { resourceVersion },
        data: { colour: 'blue' },
      });
      expect(second.data).toEqual({ colour: 'blue' });
      const late = cluster.patch(configMapKind, the().ref(), {
        metadata: { resourceVersion },
        data: { colour: 'green' },
      });
      await expect(late).rejects.toMatchObject({ code: 'ClusterConflict' });
      expect(await cluster.get(configMapKind, the().ref())).toEqual(second);
    });

    test('of a certain uid applies to no other object of that name', async () => {
      const { cluster } = the();
      await cluster.create(configMapKind, the().configMap());
      const uid = '00000000-0000-4000-8000-000000000000';
      const patch = cluster.patch(configMapKind, the().ref(), { metadata: { uid }, data: { colour: 'green' } });
      await expect(patch).rejects.toMatchObject({ code: 'ClusterConflict' });
    });

    test('that changes nothing makes no new version', async () => {
      const { cluster } = the();
      const created = await cluster.create(configMapKind, the().configMap());
      expect(await cluster.patch(configMapKind, the().ref(), { data: { colour: 'red' } })).toEqual(created);
    });

    test('of a missing object is refused', async () => {
      const patch = the().cluster.patch(configMapKind, the().ref('nobody'), { data: {} });
      await expect(patch).rejects.toMatchObject({
        code: 'ClusterObjectMissing',
        message: expect.stringContaining('nobody'),
      });
    });

    test('of the status leaves the rest alone, and the other way round', async () => {
      const { cluster } = the();
      await cluster.create(widgetKind, the().widget());
      const withStatus = await cluster.patch(
        widgetKind,
        the().ref(),
        { spec: { size: 9 }, status: { phase: 'Busy' } },
        { subresource: 'status' },
      );
      expect(withStatus).toMatchObject({ spec: { size: 1 }, status: { phase: 'Busy' }, metadata: { generation: 1 } });
      const withSpec = await cluster.patch(widgetKind, the().ref(), { spec: { size: 2 }, status: { phase: 'Lost' } });
      expect(withSpec).toMatchObject({ spec: { size: 2 }, status: { phase: 'Busy' }, metadata: { generation: 2 } });
    });

    test('of labels alone is no new generation', async () => {
      const { cluster } = the();
      await cluster.create(widgetKind, the().widget());
      const patched = await cluster.patch(widgetKind, the().ref(), { metadata: { labels: { more: 'yes' } } });
      expect(patched.metadata.generation).toBe(1);
    });

    test('of an immutable ConfigMap is refused', async () => {
      const { cluster } = the();
      await cluster.create(configMapKind, { ...the().configMap(), immutable: true });
      await expect(cluster.patch(configMapKind, the().ref(), { data: { colour: 'blue' } })).rejects.toMatchObject({
        code: 'ClusterObjectInvalid',
        message: expect.stringContaining('immutable'),
      });
    });
  });

  describe('replace', () => {
    test('takes the place of the version that was read, and of no later one', async () => {
      const { cluster, other } = the();
      const read = await cluster.create(configMapKind, the().configMap());
      const replaced = await cluster.replace(configMapKind, { ...read, data: { size: '5' } });
      expect(replaced.data).toEqual({ size: '5' });
      const late = other.replace(configMapKind, { ...read, data: { size: '6' } });
      await expect(late).rejects.toMatchObject({
        code: 'ClusterConflict',
        message: expect.stringContaining('ConfigMap'),
      });
      expect(await cluster.get(configMapKind, the().ref())).toEqual(replaced);
    });

    test('without a version is refused, and so is one of what is not there', async () => {
      const { cluster } = the();
      const created = await cluster.create(configMapKind, the().configMap());
      await expect(cluster.replace(configMapKind, the().configMap())).rejects.toMatchObject({
        code: 'ClusterObjectInvalid',
      });
      await cluster.delete(configMapKind, the().ref());
      await expect(cluster.replace(configMapKind, created)).rejects.toMatchObject({ code: 'ClusterObjectMissing' });
    });

    test('leaves a status that has a way of its own', async () => {
      const { cluster } = the();
      await cluster.create(widgetKind, the().widget());
      const read = await cluster.patch(
        widgetKind,
        the().ref(),
        { status: { phase: 'Busy' } },
        { subresource: 'status' },
      );
      const { status: _left, ...bare } = read;
      const replaced = await cluster.replace(widgetKind, { ...bare, spec: { size: 3 } });
      expect(replaced).toMatchObject({ spec: { size: 3 }, status: { phase: 'Busy' }, metadata: { generation: 2 } });
    });

    test('lets each of many who count together count, when they read again after a conflict', async () => {
      const { cluster, other } = the();
      await cluster.create(configMapKind, the().configMap('a', { data: { count: '0' } }));
      const connections = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? cluster : other));
      await inParallel(10, connections, async (connection) => await countUp(connection, the()));
      expect((await cluster.get(configMapKind, the().ref()))?.data).toEqual({ count: '20' });
    });
  });

  test('of two who create the same Lease one gets it', async () => {
    const lease = (holderIdentity: string) => ({
      apiVersion: leaseKind.apiVersion,
      kind: leaseKind.kind,
      metadata: the().ref(),
      spec: { holderIdentity, leaseDurationSeconds: 15, renewTime: '2026-01-02T03:04:05.000000Z' },
    });
    const tries = [the().cluster.create(leaseKind, lease('one')), the().other.create(leaseKind, lease('two'))];
    const ended = await Promise.allSettled(tries);
    expect(ended.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const lost = ended.find((each) => each.status === 'rejected');
    expect(isProblem(lost?.reason, 'ClusterObjectExists')).toBe(true);
  });
}

async function countUp(cluster: Cluster, one: ComplianceCase): Promise<void> {
  while (true) {
    const read = await cluster.get(configMapKind, one.ref());
    if (read === undefined) throw new Error('the counter is gone');
    try {
      await cluster.replace(configMapKind, { ...read, data: { count: String(Number(read.data?.count) + 1) } });
      return;
    } catch (error) {
      if (!isProblem(error, 'ClusterConflict')) throw error;
    }
  }
}
