// The kinds that the product names exist where it looks for them, and none of our names is taken by those it runs beside.
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as core from '../../src/api/core-kinds.ts';
import { customResourceDefinitionKind, customResourceDefinitions } from '../../src/api/custom-resource-definition.ts';
import * as platform from '../../src/api/platform-kinds.ts';
import type { ResourceKind } from '../../src/domain/kubernetes-object.ts';
import { installCrds } from '../../src/testing/cluster/crds/install-crds.ts';
import { CRD_SETS, loadCrds } from '../../src/testing/cluster/crds/load-crds.ts';
import { startCluster, type TestCluster } from '../../src/testing/cluster/start-cluster.ts';

/** Served by a program of CDI's own, not by a CRD. */
const AGGREGATED = ['UploadTokenRequest'];

let cluster: TestCluster;
beforeAll(async () => {
  const [crds, started] = await Promise.all([loadCrds(CRD_SETS), startCluster()]);
  cluster = started;
  await installCrds(cluster.kubectl, crds);
  await installCrds(cluster.kubectl, customResourceDefinitions());
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const isKind = (value: unknown): value is ResourceKind =>
  typeof value === 'object' && value !== null && 'plural' in value && 'isNamespaced' in value;
const kinds = [...Object.values(core), ...Object.values(platform), customResourceDefinitionKind]
  .filter(isKind)
  .filter(({ kind }) => !AGGREGATED.includes(kind));

test.each(kinds.map((kind) => [kind.kind, kind] as const))(
  '%s',
  async (_, { apiVersion, kind, plural, isNamespaced }) => {
    const path = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const { resources } = JSON.parse(await cluster.kubectl(['get', '--raw', path])) as {
      resources: { name: string; kind: string; namespaced: boolean }[];
    };
    expect(resources.find(({ name }) => name === plural)).toMatchObject({ kind, namespaced: isNamespaced });
  },
);

test('none of our names is taken', async () => {
  const text = await cluster.kubectl(['api-resources', '--no-headers', '-o', 'wide']);
  const shortNames = customResourceDefinitions().flatMap(({ spec }) => spec?.names.shortNames ?? []);
  for (const shortName of shortNames) {
    const holders = text.split('\n').filter((line) => line.split(/[ ,]+/).slice(0, 3).includes(shortName));
    expect(holders.map((line) => line.split(/ +/)[2])).toEqual(['migration.harvesterhci.io/v1beta1']);
  }
  const crds = JSON.parse(await cluster.kubectl(['get', 'customresourcedefinitions', '-o', 'json'])) as {
    items: { metadata: { name: string }; status: { conditions: { type: string; status: string }[] } }[];
  };
  const refused = crds.items.filter(({ status }) =>
    status.conditions.some(({ type, status: is }) => type === 'NamesAccepted' && is !== 'True'),
  );
  expect(refused.map(({ metadata }) => metadata.name)).toEqual([]);
});
