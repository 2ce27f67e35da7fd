// The node of the test cluster: Pods, volumes, isolation, and the ways in which it can be hurt.
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { canStartNode } from '../../src/testing/cluster/can-start-cluster.ts';
import { buildImageArchive } from '../../src/testing/cluster/images/build-image-archive.ts';
import { BUSYBOX_IMAGE } from '../../src/testing/cluster/images/test-images.ts';
import { startCluster, type TestCluster } from '../../src/testing/cluster/start-cluster.ts';
import { HttpFileServer } from '../../src/testing/http-file-server.ts';

const MIB = 1024 * 1024;

describe.skipIf(!canStartNode())('the node of a test cluster', () => {
  let cluster: TestCluster;
  const steps: string[] = [];

  beforeAll(async () => {
    cluster = await startCluster({
      node: true,
      onStep: (step, durationMs) => steps.push(`${step} ${(durationMs / 1000).toFixed(1)} s`),
    });
    console.info(`cluster with node: ${steps.join(', ')}`);
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  test('runs a Pod within seconds, whose logs and commands the API reaches', async () => {
    const started = performance.now();
    await cluster.apply([pod('hello', 'echo hello from $(hostname); sleep 1000')]);
    await waitFor('pod/hello', 'condition=Ready');
    console.info(`from apply to a running Pod: ${((performance.now() - started) / 1000).toFixed(1)} s`);
    expect(await cluster.kubectl(['logs', 'hello'])).toBe('hello from hello\n');
    expect(await cluster.kubectl(['exec', 'hello', '--', 'echo', 'inside'])).toBe('inside\n');
  });

  test.each(['WaitForFirstConsumer', 'Immediate'] as const)(
    'a Pod under Pod Security "restricted" writes to a block volume (%s), and the bytes are in its file',
    async (bindingMode) => {
      const name = `block-${bindingMode.toLowerCase()}`;
      const volume = await cluster.node.createVolume({ name, sizeBytes: 8 * MIB, volumeMode: 'Block', bindingMode });
      await cluster.apply([claim(name, volume.storageClass, 'Block'), restrictedWriter(name)]);
      await waitFor(`pod/${name}`, 'jsonpath={.status.phase}=Succeeded');
      expect(Buffer.from(await volume.read(4 * MIB, 12)).toString()).toBe('block bytes\n');
      expect(await volume.read(0, 4)).toEqual(new Uint8Array(4));
      expect((await volume.read(8 * MIB - 4, 100)).length).toBe(4);
      await cluster.kubectl(['delete', `pod/${name}`, `pvc/${name}`]);
      await volume.remove();
    },
  );

  test('a file system volume is as large as was asked for and no larger', async () => {
    const volume = await cluster.node.createVolume({ name: 'files', sizeBytes: 64 * MIB, volumeMode: 'Filesystem' });
    const write = 'dd if=/dev/zero of=/data/small bs=1M count=8 && ! dd if=/dev/zero of=/data/large bs=1M count=80';
    await cluster.apply([
      claim('files', volume.storageClass, 'Filesystem'),
      pod('files', write, {
        volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'files' } }],
        container: { volumeMounts: [{ name: 'data', mountPath: '/data' }] },
      }),
    ]);
    await waitFor('pod/files', 'jsonpath={.status.phase}=Succeeded');
    expect(await cluster.kubectl(['logs', 'files'])).toContain('No space left on device');
  });

  test('nothing outside is reached: a pull fails in containerd’s words, until the image is loaded', async () => {
    const image = 'registry.example.com/late:1';
    await cluster.apply([pod('late', 'echo started', { container: { image, args: [] } })]);
    const waiting = '{.status.containerStatuses[0].state.waiting}';
    const state = await eventually(async () => {
      const text = await cluster.kubectl(['get', 'pod', 'late', '-o', `jsonpath=${waiting}`]);
      return /ErrImagePull|ImagePullBackOff/.test(text) ? text : undefined;
    });
    expect(state).toMatch(/failed to do request.*dial tcp/);
    expect(await cluster.node.run('ip', ['route', 'show', 'default'])).toBe('');

    const archive = join(cluster.folder, 'late.tar');
    const busybox = (await cluster.node.run('which', ['busybox'])).trim();
    await buildImageArchive(
      { name: image, files: { 'bin/echo': busybox }, entrypoint: ['/bin/echo', 'came late'] },
      archive,
    );
    expect(await cluster.node.loadImage(archive)).toEqual([image]);
    await waitFor('pod/late', 'jsonpath={.status.phase}=Succeeded');
    expect(await cluster.kubectl(['logs', 'late'])).toBe('came late\n');
  });

  test('a Pod reaches this machine’s servers directly and through a Service, and the API at its service address', async () => {
    await using server = await HttpFileServer.start({
      files: { '/disk': Buffer.from('from the host') },
      address: cluster.hostAddress,
    });
    const { port } = new URL(server.url('/'));
    await cluster.apply([
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: named('files'),
        spec: { ports: [{ port: 80, targetPort: Number(port) }] },
      },
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { ...named('files'), labels: { 'kubernetes.io/service-name': 'files' } },
        addressType: 'IPv4',
        ports: [{ port: Number(port) }],
        endpoints: [{ addresses: [cluster.hostAddress] }],
      },
    ]);
    const address = await cluster.kubectl(['get', 'service', 'files', '-o', 'jsonpath={.spec.clusterIP}']);
    const script = [
      `wget -q -O - http://${cluster.hostAddress}:${port}/disk; echo`,
      `until wget -q -O - http://${address}/disk; do sleep 0.2; done; echo`,
      'until nc -w 2 $KUBERNETES_SERVICE_HOST $KUBERNETES_SERVICE_PORT </dev/null; do sleep 0.2; done; echo API',
    ].join('; ');
    await cluster.apply([pod('client', script)]);
    await waitFor('pod/client', 'jsonpath={.status.phase}=Succeeded');
    expect(await cluster.kubectl(['logs', 'client'])).toBe('from the host\nfrom the host\nAPI\n');
  });

  test('a killed container is started again; containers live on while containerd is restarted', async () => {
    await cluster.apply([pod('victim', 'sleep 1000', { restartPolicy: 'Always' })]);
    await waitFor('pod/victim', 'condition=Ready');
    const id = () =>
      cluster.kubectl(['get', 'pod', 'victim', '-o', 'jsonpath={.status.containerStatuses[0].containerID}']);
    const before = await id();
    await cluster.node.restartContainerd();
    expect(await cluster.kubectl(['exec', 'victim', '--', 'echo', 'alive'])).toBe('alive\n');
    expect(await id()).toBe(before);

    await cluster.node.killContainer({ namespace: 'default', pod: 'victim' });
    const status =
      '{.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].lastState.terminated.exitCode}';
    await eventually(async () => {
      const text = await cluster.kubectl(['get', 'pod', 'victim', '-o', `jsonpath=${status}`]);
      return text === '1 137' ? text : undefined;
    });
    expect(await id()).not.toBe(before);
  });

  test('a drained node takes no Pod until it is uncordoned', async () => {
    await cluster.node.drain();
    await cluster.apply([pod('later', 'true')]);
    await waitFor('pod/later', 'jsonpath={.status.conditions[0].reason}=Unschedulable');
    await cluster.node.uncordon();
    await waitFor('pod/later', 'jsonpath={.status.phase}=Succeeded');
  });

  test('a node without power is noticed, and runs its Pods again when it is back', async () => {
    await cluster.apply([pod('survivor', 'sleep 1000', { restartPolicy: 'Always' })]);
    await waitFor('pod/survivor', 'condition=Ready');
    await cluster.node.powerOff();
    await waitFor('node/node', 'condition=Ready=Unknown');
    await cluster.node.powerOn();
    await waitFor('pod/survivor', 'condition=Ready');
    expect(await cluster.kubectl(['exec', 'survivor', '--', 'echo', 'back'])).toBe('back\n');
  });

  test('a second node joins, its Pods and those of the first reach each other, and root alone opens a device on it', async () => {
    const second = await cluster.addNode({ givesDevicesToPodUser: false });
    await cluster.apply([
      pod('server', 'echo answered | nc -l -p 80', { nodeName: 'node' }),
      claim('unopened', 'local-wait', 'Block'),
    ]);
    await waitFor('pod/server', 'condition=Ready');
    const address = await cluster.kubectl(['get', 'pod', 'server', '-o', 'jsonpath={.status.podIP}']);
    await cluster.apply([pod('caller', `nc -w 5 ${address} 80 </dev/null`, { nodeName: second.name })]);
    await waitFor('pod/caller', 'jsonpath={.status.phase}=Succeeded');
    expect(await cluster.kubectl(['logs', 'caller'])).toBe('answered\n');

    await second.createVolume({ name: 'unopened', sizeBytes: 8 * MIB, volumeMode: 'Block' });
    await cluster.apply([restrictedWriter('unopened')]);
    await waitFor('pod/unopened', 'jsonpath={.status.phase}=Failed');
    expect(await cluster.kubectl(['logs', 'unopened'])).toContain("can't open '/dev/disk0': Permission denied");
  });

  const waitFor = (what: string, condition: string) =>
    cluster.kubectl(['wait', what, `--for=${condition}`, '--timeout=90s']);
});

/** The first answer that is not undefined. */
async function eventually<T>(ask: () => Promise<T | undefined>, timeoutMs = 60_000): Promise<T> {
  const until = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > until) throw new Error(`nothing within ${timeoutMs / 1000} s`);
    await delay(200);
  }
}

const named = (name: string) => ({ name, namespace: 'default' });

interface PodExtras {
  readonly container?: object;
  readonly volumes?: readonly object[];
  readonly securityContext?: object;
  readonly restartPolicy?: 'Always';
  readonly nodeName?: string;
}

function pod(name: string, script: string, { container, ...spec }: PodExtras = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: named(name),
    spec: {
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'main', image: BUSYBOX_IMAGE, args: ['-c', script], ...container }],
      ...spec,
    },
  };
}

function claim(name: string, storageClassName: string, volumeMode: string): object {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: named(name),
    spec: { storageClassName, volumeMode, accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
  };
}

function restrictedWriter(claimName: string): object {
  return pod(claimName, 'echo block bytes | dd of=/dev/disk0 bs=1M seek=4 conv=fsync', {
    volumes: [{ name: 'disk', persistentVolumeClaim: { claimName } }],
    securityContext: { runAsNonRoot: true, runAsUser: 107, seccompProfile: { type: 'RuntimeDefault' } },
    container: {
      volumeDevices: [{ name: 'disk', devicePath: '/dev/disk0' }],
      securityContext: {
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
        readOnlyRootFilesystem: true,
      },
    },
  });
}
