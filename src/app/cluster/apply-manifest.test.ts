import { beforeEach, describe, expect, test } from 'vitest';
import { secretKind } from '../../api/core-kinds.ts';
import { CLI_FIELD_MANAGER } from '../../api/literals.ts';
import { ovaSourceKind } from '../../api/ova-source.ts';
import { ProblemError } from '../../domain/problems.ts';
import { aClusterFor, aSource, NAMESPACE } from '../../testing/cluster-samples.ts';
import { collect } from '../../testing/collect.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { MemoryCluster } from '../../testing/memory-cluster.ts';
import { applyManifest, nameOfManifest } from './apply-manifest.ts';
import type { ManifestObject } from './read-manifest.ts';

let cluster: MemoryCluster;
beforeEach(() => {
  cluster = aClusterFor(new FakeClock());
});

const source = (url: string): ManifestObject => ({
  kind: ovaSourceKind,
  object: aSource({ spec: { url } }),
  label: 'web.yaml, document 1 (OvaSource files)',
});
const secret: ManifestObject = {
  kind: secretKind,
  object: { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'login', namespace: NAMESPACE } },
  label: 'web.yaml, document 2 (Secret login)',
};
const results = async (objects: readonly ManifestObject[], more = {}) =>
  (await collect(applyManifest(cluster, objects, more))).map(({ result }) => result);

describe('applyManifest', () => {
  test('tells what was created, what was changed, and what was so already', async () => {
    expect(await results([source('https://a.example/a.ova'), secret])).toEqual(['created', 'created']);
    expect(await results([source('https://b.example/a.ova'), secret])).toEqual(['changed', 'unchanged']);
    const stored = await cluster.get(ovaSourceKind, { namespace: NAMESPACE, name: 'files' });
    expect(stored?.spec?.url).toBe('https://b.example/a.ova');
  });

  test('what is refused does not keep the others from being applied', async () => {
    const refusal = new ProblemError('ClusterForbidden', 'may not patch ovasources in namespace vms');
    cluster.failNext({ verb: 'apply', kind: 'OvaSource' }, refusal);
    const applied = await collect(applyManifest(cluster, [source('https://a.example/a.ova'), secret]));
    expect(applied).toMatchObject([{ result: 'failed', problem: refusal }, { result: 'created' }]);
    expect(await cluster.get(secretKind, { namespace: NAMESPACE, name: 'login' })).toBeDefined();
  });

  test('whoever may write a Secret and not read it can apply it', async () => {
    cluster.failNext({ verb: 'get', kind: 'Secret' }, new ProblemError('ClusterForbidden', 'may not get secrets'));
    expect(await results([secret])).toEqual(['applied']);
  });

  test("another manager's field is a conflict, unless it is taken", async () => {
    const other = { fieldManager: 'kubectl', force: true };
    await cluster.apply(ovaSourceKind, aSource({ spec: { url: 'https://a.example/a.ova' } }), other);
    const [refused] = await collect(applyManifest(cluster, [source('https://b.example/a.ova')]));
    expect(refused).toMatchObject({ result: 'failed', problem: { code: 'ClusterConflict' } });
    expect(await results([source('https://b.example/a.ova')], { force: true })).toEqual(['changed']);
  });

  test('writes as what a person does by the command line, apart from the controller', async () => {
    await results([source('https://a.example/a.ova')]);
    const controller = cluster.connect('controller');
    const url = { fieldManager: 'airlift', force: false };
    await expect(
      controller.apply(ovaSourceKind, aSource({ spec: { url: 'https://c.example/' } }), url),
    ).rejects.toThrow(CLI_FIELD_MANAGER);
  });

  test('a failure that is no answer of the API is not taken for one', async () => {
    cluster.failNext({ verb: 'apply' }, new TypeError('a bug'));
    await expect(results([secret])).rejects.toThrow('a bug');
  });
});

test('an object is named by kind, namespace and name', () => {
  expect(nameOfManifest(secret)).toBe('Secret vms/login');
});
