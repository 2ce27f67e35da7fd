import { expect, test } from 'vitest';
import {
  type CustomResourceDefinition,
  customResourceDefinitionKind,
  customResourceDefinitions,
} from '../api/custom-resource-definition.ts';
import { ProblemError } from '../domain/problems.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { MemoryCluster } from '../testing/memory-cluster.ts';
import { upstreamCrds } from '../testing/upstream/crds.ts';
import { checkInstalledKinds } from './installed-kinds.ts';

async function clusterWith(definitions: readonly object[]): Promise<MemoryCluster> {
  const cluster = new MemoryCluster({ clock: new ManualClock(), kinds: [{ kind: customResourceDefinitionKind }] });
  for (const each of definitions) await cluster.create(customResourceDefinitionKind, each as CustomResourceDefinition);
  return cluster;
}

/** The first one, whose version is changed like this. */
function changed(change: (version: Record<string, unknown>) => object): object[] {
  const [first, ...others] = structuredClone(customResourceDefinitions());
  const [version] = first?.spec?.versions ?? [];
  return [{ ...first, spec: { ...first?.spec, versions: [change({ ...version })] } }, ...others];
}

test('our own are what is needed, also where somebody added fields', async () => {
  expect(await checkInstalledKinds(await clusterWith(customResourceDefinitions()))).toEqual({
    wrong: undefined,
    isUnseen: false,
  });
  const richer = JSON.parse(
    JSON.stringify(customResourceDefinitions()).replaceAll('"progress":', '"added":{"type":"string"},"progress":'),
  );
  expect((await checkInstalledKinds(await clusterWith(richer))).wrong).toBeUndefined();
});

test('those of the old controller are told by what they lack, one after the other and without what is below', async () => {
  const { wrong = '' } = await checkInstalledKinds(await clusterWith(upstreamCrds));
  expect(wrong).toContain('virtualmachineimports.migration.harvesterhci.io is of another version and has no ');
  expect(wrong).toContain('ovasources.migration.harvesterhci.io is of another version and has no ');
  expect(wrong).toContain('status.check');
  expect(wrong).not.toContain('status.check.');
  expect(wrong).toMatch(/and \d+ more/);
});

test.each<[string, object[], string]>([
  ['are not there', [], 'virtualmachineimports.migration.harvesterhci.io is not installed'],
  ['have another version only', changed((version) => ({ ...version, name: 'v2' })), 'has v2, not v1beta1'],
  ['are not served', changed((version) => ({ ...version, served: false })), 'does not serve v1beta1'],
  ['have no status of its own', changed((version) => ({ ...version, subresources: {} })), 'no subresource status'],
])('those that %s are named', async (_, definitions, said) => {
  expect((await checkInstalledKinds(await clusterWith(definitions))).wrong).toContain(said);
});

test('a schema that lets everything pass lacks nothing', async () => {
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  const open = changed((version) => ({ ...version, schema }));
  expect((await checkInstalledKinds(await clusterWith(open))).wrong).toBeUndefined();
});

test('a cluster that does not let us look is no reason to stop; one that does not answer is', async () => {
  const cluster = await clusterWith([]);
  cluster.failNext({ verb: 'get' }, new ProblemError('ClusterForbidden', 'may not get it'));
  expect(await checkInstalledKinds(cluster)).toEqual({ wrong: undefined, isUnseen: true });
  cluster.failNext({ verb: 'get' }, new ProblemError('ClusterUnreachable', 'no route'));
  await expect(checkInstalledKinds(cluster)).rejects.toMatchObject({ code: 'ClusterUnreachable' });
});
