import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { secretKind } from '../api/core-kinds.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { MemoryCluster } from '../testing/memory-cluster.ts';
import { loadEndpointCertificate } from './endpoint-secret.ts';

const DAY_MS = 24 * 3600 * 1000;

function world() {
  const clock = new ManualClock();
  clock.ms = Date.parse('2026-11-01T10:00:00Z');
  const cluster = new MemoryCluster({ clock });
  const load = (names = ['airlift.airlift-system.svc']) =>
    loadEndpointCertificate({ cluster, namespace: 'airlift-system', name: 'endpoint', names, now: () => clock.now() });
  return { clock, cluster, load };
}

test('the certificate is made once and found again by the next controller', async () => {
  const { load, cluster } = world();
  const first = await load();
  expect(new X509Certificate(first.certificatePem).checkHost('airlift.airlift-system.svc')).toBeDefined();
  expect(await load()).toEqual(first);
  const secret = await cluster.get(secretKind, { namespace: 'airlift-system', name: 'endpoint' });
  expect(Object.keys(secret?.data ?? {}).toSorted()).toEqual(['ca.crt', 'ca.key', 'tls.crt', 'tls.key']);
});

test('it is renewed in time and for other names, by the authority that workers trust already', async () => {
  const { load, clock } = world();
  const first = await load();
  clock.ms += 300 * DAY_MS;
  const renewed = await load();
  expect(renewed.certificatePem).not.toBe(first.certificatePem);
  expect(renewed.caPem).toBe(first.caPem);
  const other = await load(['10.0.0.1']);
  expect(new X509Certificate(other.certificatePem).checkIP('10.0.0.1')).toBe('10.0.0.1');
  expect(other.caPem).toBe(first.caPem);
});

test('what somebody else put there is replaced', async () => {
  const { load, cluster } = world();
  const metadata = { name: 'endpoint', namespace: 'airlift-system' };
  await cluster.create(secretKind, { apiVersion: 'v1', kind: 'Secret', metadata, data: { 'tls.crt': 'bm8=' } });
  const certificate = await load();
  expect(await load()).toEqual(certificate);
});
