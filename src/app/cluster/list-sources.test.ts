import { expect, test } from 'vitest';
import { API_VERSION } from '../../api/literals.ts';
import { ovaSourceKind } from '../../api/ova-source.ts';
import { vmwareSourceKind } from '../../api/vmware-source.ts';
import { aClusterFor, aSource, NAMESPACE, store } from '../../testing/cluster-samples.ts';
import { collect } from '../../testing/collect.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { listSources, summarizeSource } from './list-sources.ts';

const vmware = (name: string, namespace = NAMESPACE) => ({
  apiVersion: API_VERSION,
  kind: 'VmwareSource',
  metadata: { name, namespace },
  spec: { endpoint: 'https://vcenter.example/sdk', dc: 'DC0' },
});

test('lists the sources of all kinds in a namespace, or those of one name', async () => {
  const cluster = aClusterFor(new FakeClock());
  await store(cluster, ovaSourceKind, aSource());
  await store(cluster, vmwareSourceKind, vmware('vcenter'));
  await store(cluster, vmwareSourceKind, vmware('vcenter', 'other'));
  const names = async (scope: { namespace?: string; name?: string }) =>
    (await collect(listSources(cluster, scope))).map(
      ({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`,
    );
  expect(await names({ namespace: NAMESPACE })).toEqual(['VmwareSource vms/vcenter', 'OvaSource vms/files']);
  expect(await names({})).toHaveLength(3);
  expect(await names({ namespace: NAMESPACE, name: 'files' })).toEqual(['OvaSource vms/files']);
});

test.each([
  ['https://files.example/web01.ova', 'https://files.example/web01.ova'],
  ['https://me:secret@files.example:8443/a.ova', 'https://files.example:8443/a.ova'],
  ['https://files.example/a.ova?X-Signature=secret', 'https://files.example/a.ova?...'],
  ['no address, but a secret', undefined],
  [undefined, undefined],
])('of the address %s is shown %s', (url, shown) => {
  expect(summarizeSource(aSource({ spec: { url } })).address).toBe(shown);
});

test('a source is summed up with its address, its state, and what to do', () => {
  const check = {
    time: '2026-11-01T10:00:00Z',
    reason: 'SourceUnreachable',
    message: 'no route',
    nextStep: 'Open port 443.',
  };
  const stored = aSource({ status: { status: 'clusterNotReady', check } });
  expect(summarizeSource(stored)).toMatchObject({
    kind: 'OvaSource',
    address: 'https://files.example/web01.ova',
    status: 'clusterNotReady',
    reason: 'SourceUnreachable',
    message: 'no route',
    nextStep: 'Open port 443.',
    checkedAt: '2026-11-01T10:00:00Z',
  });
  expect(summarizeSource(vmware('vcenter'))).toMatchObject({
    address: 'https://vcenter.example/sdk',
    status: undefined,
  });
});
