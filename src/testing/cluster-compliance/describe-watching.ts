import { describe, expect, test } from 'vitest';
import { configMapKind } from '../../api/core-kinds.ts';
import { followWatch } from '../follow-watch.ts';
import { type ComplianceCase, eventually } from './compliance-case.ts';

export function describeWatching(the: () => ComplianceCase): void {
  const follow = () => followWatch(the().cluster, configMapKind, { namespace: the().namespace, labels: the().labels });
  const create = async (suffix: string) => await the().cluster.create(configMapKind, the().configMap(suffix));
  const recolour = async (suffix: string, colour: string) =>
    await the().cluster.patch(configMapKind, the().ref(suffix), { data: { colour } });

  describe('watch', () => {
    test('tells what there is, says that this was all, then tells every change', async () => {
      await create('a');
      await create('b');
      await using watch = follow();
      await watch.until((seen) => seen.includes('synced'));
      expect([...watch.seen].sort()).toEqual(['set a red', 'set b red', 'synced']);
      expect(watch.seen.at(-1)).toBe('synced');
      await create('c');
      await recolour('a', 'blue');
      await the().cluster.delete(configMapKind, the().ref('b'));
      await watch.until((seen) => seen.length === 6);
      expect(watch.seen.slice(3)).toEqual(['set c red', 'set a blue', 'gone b']);
    });

    test('says at once that nothing is there', async () => {
      await using watch = follow();
      await watch.until((seen) => seen.length === 1);
      expect(watch.seen).toEqual(['synced']);
    });

    test('tells of an object that does not fit any more that it is gone, and of one that does that it is there', async () => {
      await create('a');
      await using watch = follow();
      await watch.until((seen) => seen.length === 2);
      await the().cluster.patch(configMapKind, the().ref('a'), { metadata: { labels: { test: 'another' } } });
      await watch.until((seen) => seen.length === 3);
      await the().cluster.patch(configMapKind, the().ref('a'), { metadata: { labels: { test: the().id } } });
      await watch.until((seen) => seen.length === 4);
      expect(watch.seen).toEqual(['set a red', 'synced', 'gone a', 'set a red']);
    });

    test('tells objects of the same name apart', async () => {
      const first = await create('a');
      await using watch = follow();
      await watch.until((seen) => seen.includes('synced'));
      await the().cluster.delete(configMapKind, the().ref('a'));
      const second = await create('a');
      await watch.until((seen) => seen.length === 4);
      expect(watch.seen.slice(2)).toEqual(['gone a', 'set a red']);
      const [set, , gone, again] = watch.events;
      expect(
        [set, gone, again].map((event) => event !== undefined && event.type !== 'synced' && event.object.metadata.uid),
      ).toEqual([first.metadata.uid, first.metadata.uid, second.metadata.uid]);
    });

    test('ends with the reason of its signal, also while nothing happens', async () => {
      const controller = new AbortController();
      const watch = the().cluster.watch(configMapKind, {
        namespace: the().namespace,
        labels: the().labels,
        signal: controller.signal,
      });
      const iterator = watch[Symbol.asyncIterator]();
      expect(await iterator.next()).toEqual({ done: false, value: { type: 'synced' } });
      const next = iterator.next();
      controller.abort(new Error('enough'));
      await expect(next).rejects.toThrow('enough');
      await expect(iterator.next()).resolves.toMatchObject({ done: true });
    });

    test('may be left at any time', async () => {
      await create('a');
      for await (const event of the().cluster.watch(configMapKind, {
        namespace: the().namespace,
        labels: the().labels,
      })) {
        if (event.type === 'synced') break;
      }
      for await (const event of the().cluster.watch(configMapKind, {
        namespace: the().namespace,
        labels: the().labels,
      })) {
        expect(event.type).toBe('set');
        break;
      }
    });

    test('leads many who watch to the same end, whatever is written meanwhile', async () => {
      await using early = follow();
      const rounds = Array.from({ length: 10 }, (_, index) => `n${index}`);
      const churn = rounds.map(async (suffix, index) => {
        await create(suffix);
        for (const colour of ['green', 'blue']) await recolour(suffix, colour);
        if (index % 2 === 0) await the().cluster.delete(configMapKind, the().ref(suffix));
      });
      await using late = follow();
      await Promise.all(churn);
      const expected = new Map(rounds.filter((_, index) => index % 2 === 1).map((suffix) => [suffix, 'blue']));
      for (const watch of [early, late]) {
        const state = await eventually(
          () => watch.state(),
          (now) => JSON.stringify([...now].sort()) === JSON.stringify([...expected].sort()),
        );
        expect(state).toEqual(expected);
      }
    });
  });
}
