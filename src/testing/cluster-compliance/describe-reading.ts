import { describe, expect, test } from 'vitest';
import { configMapKind, namespaceKind } from '../../api/core-kinds.ts';
import type { ListOptions } from '../../ports/cluster.ts';
import { collect } from '../collect.ts';
import { type ComplianceCase, inParallel, unknownKind, widgetKind } from './compliance-case.ts';

export function describeReading(the: () => ComplianceCase): void {
  describe('create and get', () => {
    test('a new object gets a uid, a version and a time, and is read as it was answered', async () => {
      const { cluster, labels } = the();
      const created = await cluster.create(configMapKind, the().configMap());
      const expected = {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        data: { colour: 'red' },
        metadata: { ...the().ref(), labels },
      };
      expect(created).toMatchObject(expected);
      expect(created.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
      expect(created.metadata.resourceVersion).toMatch(/^\d+$/);
      expect(created.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      expect(created.metadata).not.toHaveProperty('managedFields');
      expect(await cluster.get(configMapKind, the().ref())).toEqual(created);
    });

    test('what is not there is undefined', async () => {
      const { cluster } = the();
      expect(await cluster.get(configMapKind, the().ref('nobody'))).toBeUndefined();
      expect(await cluster.get(configMapKind, { namespace: 'no-such-namespace', name: 'nobody' })).toBeUndefined();
      expect(await cluster.get(namespaceKind, { name: 'no-such-namespace' })).toBeUndefined();
    });

    test('a second object of the same name is refused, and the first one stays', async () => {
      const { cluster, other, namespace, id } = the();
      await cluster.create(configMapKind, the().configMap());
      await expect(
        other.create(configMapKind, the().configMap('a', { data: { colour: 'blue' } })),
      ).rejects.toMatchObject({
        code: 'ClusterObjectExists',
        message: expect.stringContaining(`ConfigMap ${namespace}/${id}-a`),
      });
      expect((await cluster.get(configMapKind, the().ref()))?.data).toEqual({ colour: 'red' });
    });

    test('names are made where only their beginning is given', async () => {
      const { cluster, id } = the();
      const unnamed = the().configMap('', { name: '', generateName: `${id}-made-` });
      const first = await cluster.create(configMapKind, unnamed);
      const second = await cluster.create(configMapKind, unnamed);
      expect(first.metadata.name).toMatch(new RegExp(`^${id}-made-[a-z0-9]{5}$`));
      expect(second.metadata.name).not.toBe(first.metadata.name);
    });

    test.each([
      ['a name with capitals', { name: 'Capital' }, 'metadata.name'],
      ['a label value that is too long', { labels: { app: 'x'.repeat(64) } }, 'metadata.labels'],
      ['a version before there is one', { resourceVersion: '5' }, 'resourceVersion'],
    ])('%s is refused in the words of the server', async (_case, wrong, words) => {
      await expect(the().cluster.create(configMapKind, the().configMap('a', wrong))).rejects.toMatchObject({
        code: 'ClusterObjectInvalid',
        message: expect.stringContaining(words),
      });
    });

    test('a status is not taken where it has a way of its own', async () => {
      const created = await the().cluster.create(widgetKind, { ...the().widget(), status: { phase: 'Ready' } });
      expect(created.status).toBeUndefined();
      expect(created.metadata.generation).toBe(1);
    });

    test('a kind that is not installed is named, whatever is asked of it', async () => {
      const { cluster, namespace } = the();
      const gadget = { ...the().widget(), kind: 'Gadget' };
      const asked = [
        () => cluster.get(unknownKind, the().ref()),
        () => collect(cluster.list(unknownKind, { namespace })),
        () => collect(cluster.watch(unknownKind, { namespace })),
        () => cluster.create(unknownKind, gadget),
        () => cluster.apply(unknownKind, gadget, { fieldManager: 'm' }),
        () => cluster.patch(unknownKind, the().ref(), {}),
        () => cluster.delete(unknownKind, the().ref()),
      ];
      for (const ask of asked) {
        await expect(ask()).rejects.toMatchObject({
          code: 'ClusterKindMissing',
          message: expect.stringContaining('gadgets'),
        });
      }
    });

    test('an aborted signal ends a call with its reason', async () => {
      const { cluster, namespace } = the();
      const signal = AbortSignal.abort(new Error('enough'));
      await expect(cluster.get(configMapKind, the().ref(), { signal })).rejects.toThrow('enough');
      await expect(cluster.create(configMapKind, the().configMap(), { signal })).rejects.toThrow('enough');
      await expect(collect(cluster.list(configMapKind, { namespace, signal }))).rejects.toThrow('enough');
      expect(await cluster.get(configMapKind, the().ref())).toBeUndefined();
    });
  });

  describe('list', () => {
    const names = async (options: ListOptions) =>
      (await collect(the().cluster.list(configMapKind, options))).map((each) => each.metadata.name).sort();

    test('gives what has the labels asked for, of one namespace or of all', async () => {
      const { cluster, namespace, labels, id } = the();
      for (const suffix of ['a', 'b', 'c']) await cluster.create(configMapKind, the().configMap(suffix));
      await cluster.create(configMapKind, the().configMap('d', { labels: { test: 'another' } }));
      const expected = ['a', 'b', 'c'].map((suffix) => `${id}-${suffix}`);
      expect(await names({ namespace, labels })).toEqual(expected);
      expect(await names({ labels })).toEqual(expected);
      expect(await names({ namespace: 'no-such-namespace', labels })).toEqual([]);
      expect(await names({ namespace, labels: { ...labels, more: 'none' } })).toEqual([]);
    });

    test('gives what has the fields asked for', async () => {
      const { cluster, namespace, id } = the();
      for (const suffix of ['a', 'b']) await cluster.create(configMapKind, the().configMap(suffix));
      expect(await names({ namespace, fields: { 'metadata.name': `${id}-b` } })).toEqual([`${id}-b`]);
    });

    test('gives objects that say what they are, as those that are read alone', async () => {
      const { cluster, namespace, labels } = the();
      const created = await cluster.create(widgetKind, the().widget());
      expect(await collect(cluster.list(widgetKind, { namespace, labels }))).toEqual([created]);
      const plain = await cluster.create(configMapKind, the().configMap());
      expect(await collect(cluster.list(configMapKind, { namespace, labels }))).toEqual([plain]);
    });

    test('gives more than two pages whole, each object once, and may be left early', async () => {
      const { cluster, namespace, labels, id } = the();
      const suffixes = Array.from({ length: 1_100 }, (_, index) => `n${index}`);
      await inParallel(20, suffixes, async (suffix) => await cluster.create(configMapKind, the().configMap(suffix)));
      expect(await names({ namespace, labels })).toEqual(suffixes.map((suffix) => `${id}-${suffix}`).sort());
      let seen = 0;
      for await (const _object of cluster.list(configMapKind, { namespace, labels })) {
        seen += 1;
        if (seen === 3) break;
      }
      expect(seen).toBe(3);
    });
  });
}
