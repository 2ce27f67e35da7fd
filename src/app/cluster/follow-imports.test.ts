import { setTimeout as delay } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { type StoredVirtualMachineImport, virtualMachineImportKind } from '../../api/virtual-machine-import.ts';
import { refOf } from '../../domain/kubernetes-object.ts';
import { ProblemError } from '../../domain/problems.ts';
import { aClusterFor, NAMESPACE, setProgress, storeImport } from '../../testing/cluster-samples.ts';
import { ManualClock, settle } from '../../testing/manual-clock.ts';
import type { MemoryCluster } from '../../testing/memory-cluster.ts';
import { followImports, type ImportChange, waitForImports } from './follow-imports.ts';

let clock: ManualClock;
let cluster: MemoryCluster;
beforeEach(() => {
  clock = new ManualClock();
  cluster = aClusterFor(clock);
});

const at = (name: string, namespace = NAMESPACE) => ({ name, namespace });
const wordOf = (change: ImportChange) =>
  change.type === 'set'
    ? `${change.summary.name} ${change.summary.phase}`
    : change.type === 'gone'
      ? `${change.name} gone`
      : 'synced';

describe('followImports', () => {
  test('tells those that are there, that these were all, and every change from then on', async () => {
    const stored = await storeImport(cluster, { name: 'web' });
    await storeImport(cluster, { name: 'elsewhere', namespace: 'other' });
    const words: string[] = [];
    const stop = new AbortController();
    const following = (async () => {
      for await (const change of followImports(cluster, { namespace: NAMESPACE }, { signal: stop.signal }))
        words.push(wordOf(change));
    })();
    following.catch(() => {});
    await settle();
    expect(words).toEqual(['web Pending', 'synced']);
    await setProgress(cluster, stored, { phase: 'Transferring' });
    await cluster.delete(virtualMachineImportKind, refOf(stored));
    await settle();
    expect(words.slice(2)).toEqual(['web Transferring', 'web gone']);
    stop.abort();
    await Promise.allSettled([following]);
  });

  test('of one name the others are not told', async () => {
    await storeImport(cluster, { name: 'web' });
    await storeImport(cluster, { name: 'db' });
    for await (const change of followImports(cluster, { namespace: NAMESPACE }, { name: 'db' })) {
      expect(wordOf(change)).toBe('db Pending');
      break;
    }
  });
});

describe('waitForImports', () => {
  async function waitWhile(refs: readonly { name: string; namespace: string }[], act: () => Promise<void>) {
    const words: string[] = [];
    const waiting = waitForImports(cluster, refs, { onChange: (change) => words.push(wordOf(change)) });
    await settle();
    await act();
    return { ends: await waiting, words };
  }

  test('ends when every import is over, and tells each by its place', async () => {
    const [web, db, app] = await Promise.all(['web', 'db', 'app'].map((name) => storeImport(cluster, { name })));
    const { ends } = await waitWhile([at('web'), at('db'), at('app')], async () => {
      await setProgress(cluster, app as StoredVirtualMachineImport, { phase: 'Finished' });
      await setProgress(cluster, web as StoredVirtualMachineImport, { phase: 'Failed' });
      await cluster.delete(virtualMachineImportKind, refOf(db as StoredVirtualMachineImport));
    });
    expect(ends).toEqual(['failed', 'gone', 'done']);
  });

  test('one that is over already is waited for no longer, one that is not there is gone', async () => {
    await storeImport(cluster, { name: 'web', progress: { phase: 'Finished' } });
    expect(await waitForImports(cluster, [at('web'), at('nowhere')])).toEqual(['done', 'gone']);
  });

  test('of imports that nobody waits for nothing is told', async () => {
    const web = await storeImport(cluster, { name: 'web' });
    await storeImport(cluster, { name: 'db' });
    await storeImport(cluster, { name: 'other' });
    const { words } = await waitWhile([at('web'), at('db')], async () => {
      await cluster.delete(virtualMachineImportKind, at('db'));
      await setProgress(cluster, web, { phase: 'Finished' });
    });
    expect(words).not.toContain('other Pending');
    expect(words).toContain('db gone');
  });

  test('imports of several namespaces need no right to see all of them', async () => {
    const web = await storeImport(cluster, { name: 'web', namespace: 'one' });
    const db = await storeImport(cluster, { name: 'web', namespace: 'two' });
    cluster.failNext(
      ({ verb, namespace }) => verb === 'watch' && namespace === undefined,
      new ProblemError('ClusterForbidden', 'may not watch in all namespaces'),
    );
    const { ends } = await waitWhile([at('web', 'one'), at('web', 'two')], async () => {
      await setProgress(cluster, web, { phase: 'Finished' });
      await setProgress(cluster, db, { phase: 'Failed' });
    });
    expect(ends).toEqual(['done', 'failed']);
  });

  test('a lost connection is told and outlived', async () => {
    const web = await storeImport(cluster, { name: 'web' });
    const remarks: string[] = [];
    cluster.failNext({ verb: 'watch' }, new ProblemError('ClusterUnreachable', 'cut by the test'));
    const waiting = waitForImports(cluster, [at('web')], { onRetry: ({ message }) => remarks.push(message) });
    await settle();
    expect(remarks).toEqual(['cut by the test']);
    await clock.advance(10_000);
    await setProgress(cluster, web, { phase: 'Finished' });
    expect(await waiting).toEqual(['done']);
  });

  test('whoever stops waiting gets the reason, and no watch stays behind', async () => {
    await storeImport(cluster, { name: 'web' });
    const stop = new AbortController();
    const waiting = waitForImports(cluster, [at('web')], { signal: stop.signal });
    await settle();
    stop.abort(new ProblemError('Interrupted', 'stopped by Ctrl-C'));
    await expect(waiting).rejects.toMatchObject({ code: 'Interrupted' });
  });

  test('who may not look is told at once', async () => {
    cluster.failNext({ verb: 'watch' }, new ProblemError('ClusterForbidden', 'may not watch virtualmachineimports'));
    const waited = Promise.race([waitForImports(cluster, [at('web')]), delay(2_000).then(() => 'still waiting')]);
    await expect(waited).rejects.toMatchObject({ code: 'ClusterForbidden' });
  });
});
