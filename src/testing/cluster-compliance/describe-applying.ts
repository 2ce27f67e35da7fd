import { describe, expect, test } from 'vitest';
import { configMapKind } from '../../api/core-kinds.ts';
import type { JsonObject } from '../../ports/cluster.ts';
import {
  type ComplianceCase,
  ownerReferenceTo,
  type Widget,
  type WidgetCondition,
  widgetKind,
} from './compliance-case.ts';

export function describeApplying(the: () => ComplianceCase): void {
  const applyData = async (fieldManager: string, data: Record<string, string>, force = false) => {
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: the().ref(), data };
    return await the().cluster.apply(configMapKind, object, { fieldManager, force });
  };

  describe('apply', () => {
    test('creates what is not there, and changes nothing when done again', async () => {
      const created = await applyData('one', { colour: 'red' });
      expect(created).toMatchObject({ data: { colour: 'red' }, metadata: the().ref() });
      expect(await applyData('one', { colour: 'red' })).toEqual(created);
      expect(await the().cluster.get(configMapKind, the().ref())).toEqual(created);
    });

    test('removes what its manager gave before and does not give any more, and nothing else', async () => {
      await applyData('one', { colour: 'red', size: '5' });
      await applyData('two', { shape: 'round' });
      await the().other.patch(configMapKind, the().ref(), { data: { weight: '9' } });
      const applied = await applyData('one', { colour: 'blue' });
      expect(applied.data).toEqual({ colour: 'blue', shape: 'round', weight: '9' });
    });

    test('keeps a field that another manager gave as well, until nobody does', async () => {
      await applyData('one', { colour: 'red', size: '5' });
      await applyData('two', { colour: 'red' });
      expect((await applyData('one', { size: '5' })).data).toEqual({ colour: 'red', size: '5' });
      expect((await applyData('two', {})).data).toEqual({ size: '5' });
    });

    test("another manager's field is a conflict that names both, and taken by force", async () => {
      await applyData('one', { colour: 'red', size: '5' });
      await expect(applyData('two', { colour: 'blue' })).rejects.toMatchObject({
        code: 'ClusterConflict',
        message: expect.stringMatching(/\.data\.colour.*one/),
      });
      expect((await applyData('two', { colour: 'blue' }, true)).data).toEqual({ colour: 'blue', size: '5' });
      await expect(applyData('one', { colour: 'red', size: '5' })).rejects.toMatchObject({ code: 'ClusterConflict' });
      expect((await applyData('one', { size: '6' })).data).toEqual({ colour: 'blue', size: '6' });
    });

    test('a field that was changed by a patch since belongs to who patched it', async () => {
      await applyData('one', { colour: 'red' });
      await the().other.patch(configMapKind, the().ref(), { data: { colour: 'blue' } });
      await expect(applyData('one', { colour: 'red' })).rejects.toMatchObject({ code: 'ClusterConflict' });
      expect((await applyData('one', { colour: 'red' }, true)).data).toEqual({ colour: 'red' });
    });

    test('of a certain version applies to no other', async () => {
      const { resourceVersion = '' } = (await applyData('one', { colour: 'red' })).metadata;
      await applyData('one', { colour: 'blue' });
      const object = { ...the().configMap(), metadata: { ...the().ref(), resourceVersion } };
      const late = the().cluster.apply(configMapKind, object, { fieldManager: 'one', force: true });
      await expect(late).rejects.toMatchObject({ code: 'ClusterConflict' });
    });

    test('finalizers and owners of several managers stand beside each other', async () => {
      const { cluster } = the();
      const owners = [
        await cluster.create(configMapKind, the().configMap('o1')),
        await cluster.create(configMapKind, the().configMap('o2')),
      ];
      const apply = async (fieldManager: string, metadata: Partial<Widget['metadata']>) =>
        await cluster.apply(
          widgetKind,
          { apiVersion: widgetKind.apiVersion, kind: 'Widget', metadata: { ...the().ref(), ...metadata } },
          { fieldManager },
        );
      const [first, second] = owners.map(ownerReferenceTo);
      await apply('one', { finalizers: ['test.local/one'], ownerReferences: first ? [first] : [] });
      const both = await apply('two', { finalizers: ['test.local/two'], ownerReferences: second ? [second] : [] });
      expect([...(both.metadata.finalizers ?? [])].sort()).toEqual(['test.local/one', 'test.local/two']);
      expect(both.metadata.ownerReferences?.map(({ name }) => name).sort()).toEqual([
        `${the().id}-o1`,
        `${the().id}-o2`,
      ]);
      const left = await apply('one', {});
      expect(left.metadata.finalizers).toEqual(['test.local/two']);
      expect(left.metadata.ownerReferences).toEqual([second]);
      await cluster.patch(widgetKind, the().ref(), { metadata: { finalizers: null } } as JsonObject);
    });

    test('of a status leaves the rest alone, and tells conditions apart by their type', async () => {
      const { cluster } = the();
      await cluster.create(widgetKind, the().widget());
      const apply = async (fieldManager: string, conditions: WidgetCondition[], phase?: string) => {
        const status = { conditions, ...(phase === undefined ? {} : { phase }) };
        const object = {
          apiVersion: widgetKind.apiVersion,
          kind: 'Widget',
          metadata: the().ref(),
          spec: { size: 7 },
          status,
        };
        return await cluster.apply(widgetKind, object, { fieldManager, subresource: 'status' });
      };
      await apply('one', [{ type: 'Ready', status: 'False' }], 'Busy');
      const both = await apply('two', [{ type: 'Stalled', status: 'True' }]);
      expect(both).toMatchObject({ spec: { size: 1 }, metadata: { generation: 1 }, status: { phase: 'Busy' } });
      expect(both.status?.conditions).toEqual([
        { type: 'Ready', status: 'False' },
        { type: 'Stalled', status: 'True' },
      ]);
      const changed = await apply('one', [{ type: 'Ready', status: 'True' }]);
      expect(changed.status).toEqual({
        conditions: [
          { type: 'Ready', status: 'True' },
          { type: 'Stalled', status: 'True' },
        ],
      });
    });

    test('of the status of what is not there is refused', async () => {
      const apply = the().cluster.apply(
        widgetKind,
        { ...the().widget('nobody'), status: { phase: 'Busy' } },
        { fieldManager: 'one', subresource: 'status' },
      );
      await expect(apply).rejects.toMatchObject({ code: 'ClusterObjectMissing' });
    });
  });
}
