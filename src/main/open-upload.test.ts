import { once } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { podKind, secretKind } from '../api/core-kinds.ts';
import { secretName } from '../app/cluster/import-wish.ts';
import type { OpenCluster } from '../app/cluster/open-cluster.ts';
import { relayPod } from '../app/cluster/relay-pod.ts';
import type { OpenUpload } from '../cli/services.ts';
import { ProblemError } from '../domain/problems.ts';
import { RelayConnections } from '../file-relay/relay-connections.ts';
import { aClusterFor, NAMESPACE, store, storeImport } from '../testing/cluster-samples.ts';
import type { MemoryCluster } from '../testing/memory-cluster.ts';
import { locateFile, openUpload } from './open-upload.ts';
import { systemClock } from './system-clock.ts';

let folder: string;
let cluster: MemoryCluster;
let relay: RelayConnections;
beforeEach(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'airlift-upload-')));
  writeFileSync(join(folder, 'web.ova'), 'an appliance');
  cluster = aClusterFor(systemClock);
  relay = await RelayConnections.start({ port: 0, tunnelPort: 0 });
  const status = {
    phase: 'Running' as const,
    podIP: '127.0.0.1',
    containerStatuses: [{ name: 'file-relay', ready: true }],
  };
  await store(cluster, podKind, { ...relayPod({ name: 'web01', namespace: NAMESPACE, image: 'airlift:1' }), status });
});
afterEach(async () => {
  await relay[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** A forwarded port of a Pod that is this process. */
async function forwardPort(): Promise<Duplex> {
  const socket = connect(relay.tunnelPort, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

async function upload(fileName = 'web.ova', more: Partial<OpenCluster> = {}): Promise<OpenUpload> {
  const file = { folder, fileName, origin: 'box:/web.ova' };
  const open = { cluster, namespace: NAMESPACE, forwardPort, ...more } as Partial<OpenCluster> as OpenCluster;
  const options = {
    file,
    diskFiles: ['disk.vmdk'],
    name: 'web01',
    namespace: NAMESPACE,
    image: 'airlift:1',
    onRemark: () => {},
  };
  return await openUpload(open, options, { clock: systemClock });
}

/** As a worker in the cluster reads it: with the CA of the Secret, at the address of the source. */
async function read({ source }: OpenUpload, name?: string): Promise<readonly [number, string]> {
  const url = new URL(source.url);
  const path = name === undefined ? url.pathname : url.pathname.replace(/[^/]+$/, name);
  const ca = source.secret?.['ca.crt'] ?? '';
  const asked = request({ host: url.hostname, port: relay.port, path, ca, agent: false });
  asked.end();
  const [answer] = await once(asked, 'response');
  let body = '';
  for await (const piece of answer) body += piece;
  return [answer.statusCode, body];
}

/** What placeImport does with it. */
async function keepSecret({ source }: OpenUpload): Promise<void> {
  const data = Object.fromEntries(
    Object.entries(source.secret ?? {}).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
  );
  const metadata = { name: secretName('web01'), namespace: NAMESPACE };
  await cluster.create(secretKind, { apiVersion: 'v1', kind: 'Secret', metadata, data });
}

describe('openUpload', () => {
  test('lets the cluster read the file, over TLS that the relay knows nothing of', async () => {
    await using opened = await upload();
    expect(opened.source.url).toMatch(/^https:\/\/127\.0\.0\.1:8445\/[0-9a-f]{32}\/web\.ova$/);
    expect(await read(opened)).toEqual([200, 'an appliance']);
  });

  test('gives what the descriptor leads to, and nothing else that lies there', async () => {
    const shared = ['web.ovf', 'web.mf', 'disk.vmdk', 'disk.vmdk.000000001'];
    const hidden = ['private.key', 'other.vmdk', 'disk.vmdk.txt', 'private.key.000000001'];
    for (const name of [...shared, ...hidden]) writeFileSync(join(folder, name), name);
    await using opened = await upload('web.ovf');
    for (const name of shared) expect(await read(opened, name)).toEqual([200, name]);
    for (const name of hidden) expect(await read(opened, name)).toEqual([404, '']);
  });

  test('the next run has the same address and authority, so that who reads goes on reading', async () => {
    const first = await upload();
    await keepSecret(first);
    await first[Symbol.asyncDispose]();
    // The relay learns a moment later that its tunnels are gone; who is given one of them meanwhile asks again.
    await delay(100);
    await using second = await upload();
    expect(second.source).toEqual(first.source);
    expect(await read({ ...second, source: first.source })).toEqual([200, 'an appliance']);
  });

  test('the relay goes with the import, and at the end by itself', async () => {
    await using opened = await upload();
    const stored = await storeImport(cluster);
    await opened.adopt(stored);
    const ref = { namespace: NAMESPACE, name: 'web01-file-relay' };
    expect((await cluster.get(podKind, ref))?.metadata.ownerReferences).toMatchObject([
      { kind: 'VirtualMachineImport', uid: stored.metadata.uid },
    ]);
    await opened.remove();
    expect(await cluster.get(podKind, ref)).toBeUndefined();
  });

  test('what no retry cures is told to whoever waits', async () => {
    const refusal = new ProblemError('ClusterForbidden', 'this user may not create pods/portforward');
    await using opened = await upload('web.ova', { forwardPort: () => Promise.reject(refusal) });
    await expect(opened.lost).rejects.toBe(refusal);
  });
});

describe('locateFile', () => {
  test('finds the file in full, wherever the path leads to it', async () => {
    symlinkSync(join(folder, 'web.ova'), join(folder, 'link.ova'));
    const located = { folder, fileName: 'web.ova', origin: `${hostname()}:${join(folder, 'web.ova')}` };
    expect(await locateFile(join(folder, 'web.ova'))).toEqual(located);
    expect(await locateFile(join(folder, 'link.ova'))).toEqual(located);
  });

  test('of a folder it is the one descriptor in it', async () => {
    const below = join(folder, 'machine');
    mkdirSync(below);
    await expect(locateFile(below)).rejects.toMatchObject({
      code: 'SourceKindUnsupported',
      message: expect.stringMatching(/holds no .ovf/),
    });
    writeFileSync(join(below, 'web.OVF'), '');
    expect(await locateFile(below)).toMatchObject({ folder: below, fileName: 'web.OVF' });
    writeFileSync(join(below, 'db.ovf'), '');
    await expect(locateFile(below)).rejects.toMatchObject({ message: expect.stringMatching(/holds several .ovf/) });
  });

  test('one that is not there is named', async () => {
    await expect(locateFile(join(folder, 'nowhere.ova'))).rejects.toMatchObject({
      code: 'SourceNotFound',
      message: `cannot read ${join(folder, 'nowhere.ova')}: ENOENT`,
    });
  });
});
