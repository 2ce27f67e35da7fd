import { describe, expect, test } from 'vitest';
import { configMapKind } from '../../api/core-kinds.ts';
import type { OwnerReference } from '../../domain/kubernetes-object.ts';
import { type ComplianceCase, eventually, ownerReferenceTo, widgetKind } from './compliance-case.ts';

const FINALIZER = 'test.local/hold';

export function describeDeleting(the: () => ComplianceCase): void {
  const exists = async (suffix: string) => (await the().cluster.get(configMapKind, the().ref(suffix))) !== undefined;
  const isGone = async (suffix: string) =>
    !(await eventually(
      () => exists(suffix),
      (isThere) => !isThere,
    ));

  describe('delete', () => {
    test('removes the object, and one that is not there is fine', async () => {
      const { cluster } = the();
      await cluster.create(configMapKind, the().configMap());
      await cluster.delete(configMapKind, the().ref());
      expect(await exists('a')).toBe(false);
      await cluster.delete(configMapKind, the().ref());
    });

    test('of a certain uid or version leaves any other alone', async () => {
      const { cluster } = the();
      const first = await cluster.create(configMapKind, the().configMap());
      const { uid, resourceVersion } = first.metadata;
      await cluster.patch(configMapKind, the().ref(), { data: { colour: 'blue' } });
      await expect(cluster.delete(configMapKind, the().ref(), { resourceVersion })).rejects.toMatchObject({
        code: 'ClusterConflict',
      });
      await cluster.delete(configMapKind, the().ref(), { uid });
      await cluster.create(configMapKind, the().configMap());
      await expect(cluster.delete(configMapKind, the().ref(), { uid })).rejects.toMatchObject({
        code: 'ClusterConflict',
      });
      expect(await exists('a')).toBe(true);
    });

    test('waits for the finalizers, and the last one gone removes the object', async () => {
      const { cluster } = the();
      await cluster.create(configMapKind, the().configMap('a', { finalizers: [FINALIZER, 'test.local/other'] }));
      await cluster.delete(configMapKind, the().ref());
      const held = await cluster.get(configMapKind, the().ref());
      expect(held?.metadata.deletionTimestamp).toMatch(/^\d{4}-/);
      await cluster.delete(configMapKind, the().ref());
      const { deletionTimestamp } = held?.metadata ?? {};
      expect(
        (await cluster.patch(configMapKind, the().ref(), { metadata: { finalizers: [FINALIZER] } })).metadata,
      ).toMatchObject({ deletionTimestamp });
      await cluster.patch(configMapKind, the().ref(), { metadata: { finalizers: null } });
      expect(await exists('a')).toBe(false);
    });

    test('an object that is being deleted takes no new finalizer, and its name is not free', async () => {
      const { cluster } = the();
      await cluster.create(configMapKind, the().configMap('a', { finalizers: [FINALIZER] }));
      await cluster.delete(configMapKind, the().ref());
      const late = cluster.patch(configMapKind, the().ref(), {
        metadata: { finalizers: [FINALIZER, 'test.local/late'] },
      });
      await expect(late).rejects.toMatchObject({
        code: 'ClusterObjectInvalid',
        message: expect.stringContaining('finalizers'),
      });
      await expect(cluster.create(configMapKind, the().configMap())).rejects.toMatchObject({
        code: 'ClusterObjectExists',
      });
      await cluster.patch(configMapKind, the().ref(), { metadata: { finalizers: null } });
    });

    test('a deletion is a new generation of a kind that counts them', async () => {
      const { cluster } = the();
      const widget = the().widget();
      await cluster.create(widgetKind, { ...widget, metadata: { ...widget.metadata, finalizers: [FINALIZER] } });
      await cluster.delete(widgetKind, the().ref());
      expect((await cluster.get(widgetKind, the().ref()))?.metadata.generation).toBe(2);
      await cluster.patch(widgetKind, the().ref(), { metadata: { finalizers: null } });
    });
  });

  describe('what an object owns', () => {
    const createOwned = async (suffix: string, ...ownerReferences: OwnerReference[]) =>
      await the().cluster.create(configMapKind, the().configMap(suffix, { ownerReferences }));
    const createOwner = async (suffix: string) =>
      ownerReferenceTo(await the().cluster.create(configMapKind, the().configMap(suffix)));

    test('goes with it, and what that owns too', async () => {
      const child = await createOwned('child', await createOwner('owner'));
      await createOwned('grandchild', ownerReferenceTo(child));
      await the().cluster.delete(configMapKind, the().ref('owner'));
      expect(await isGone('child')).toBe(true);
      expect(await isGone('grandchild')).toBe(true);
    });

    test('stays while another owner is there', async () => {
      await createOwned('child', await createOwner('one'), await createOwner('two'));
      await createOwned('witness', ownerReferenceTo(await createOwned('one-more', await createOwner('three'))));
      await the().cluster.delete(configMapKind, the().ref('one'));
      await the().cluster.delete(configMapKind, the().ref('three'));
      // Collected after the child was looked at.
      expect(await isGone('witness')).toBe(true);
      expect(await exists('child')).toBe(true);
      await the().cluster.delete(configMapKind, the().ref('two'));
      expect(await isGone('child')).toBe(true);
    });

    test('goes when its owner was gone before it came, even if a new object has its name', async () => {
      const gone = await createOwner('owner');
      await the().cluster.delete(configMapKind, the().ref('owner'));
      await createOwner('owner');
      await createOwned('child', gone);
      expect(await isGone('child')).toBe(true);
      expect(await exists('owner')).toBe(true);
    });

    test('stays and is its own when it is orphaned', async () => {
      await createOwned('child', await createOwner('owner'));
      await the().cluster.delete(configMapKind, the().ref('owner'), { propagation: 'Orphan' });
      expect(await isGone('owner')).toBe(true);
      expect((await the().cluster.get(configMapKind, the().ref('child')))?.metadata.ownerReferences ?? []).toEqual([]);
    });

    test('goes first when deletion is in the foreground', async () => {
      const owner = { ...(await createOwner('owner')), blockOwnerDeletion: true };
      await the().cluster.create(
        configMapKind,
        the().configMap('child', { ownerReferences: [owner], finalizers: [FINALIZER] }),
      );
      await the().cluster.delete(configMapKind, the().ref('owner'), { propagation: 'Foreground' });
      const isMarked = async (suffix: string) =>
        (await the().cluster.get(configMapKind, the().ref(suffix)))?.metadata.deletionTimestamp !== undefined;
      expect(
        await eventually(
          () => isMarked('child'),
          (marked) => marked,
        ),
      ).toBe(true);
      expect(await isMarked('owner')).toBe(true);
      await the().cluster.patch(configMapKind, the().ref('child'), { metadata: { finalizers: null } });
      expect(await isGone('owner')).toBe(true);
    });
  });
}
