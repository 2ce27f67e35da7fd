// The test cluster itself, without a node: other tests may believe what it says only if it is a real Kubernetes, and nothing of it may stay behind.
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { canStartCluster } from '../../src/testing/cluster/can-start-cluster.ts';
import { findClusterProcesses } from '../../src/testing/cluster/cluster-process.ts';
import { CRD_SETS } from '../../src/testing/cluster/crds/load-crds.ts';
import { kubernetesVersion } from '../../src/testing/cluster/kubernetes/build.ts';
import { startCluster, type TestCluster } from '../../src/testing/cluster/start-cluster.ts';

describe.skipIf(!canStartCluster())('a test cluster without a node', () => {
  let cluster: TestCluster;
  const steps: string[] = [];

  beforeAll(async () => {
    cluster = await startCluster({
      crds: CRD_SETS,
      onStep: (step, durationMs) => steps.push(`${step} ${(durationMs / 1000).toFixed(1)} s`),
    });
    console.info(`control plane: ${steps.join(', ')}`);
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  test('is the Kubernetes that its go.mod names', async () => {
    const version = JSON.parse(await cluster.kubectl(['get', '--raw', '/version'])) as { readonly gitVersion: string };
    expect(version.gitVersion).toBe(`v${kubernetesVersion()}`);
  });

  test('serves the real CRDs of Harvester, KubeVirt, CDI and Multus', async () => {
    const kinds = await cluster.kubectl(['api-resources', '--no-headers', '--output=name']);
    expect(kinds.split('\n')).toEqual(
      expect.arrayContaining([
        'virtualmachineimages.harvesterhci.io',
        'settings.harvesterhci.io',
        'addons.harvesterhci.io',
        'virtualmachines.kubevirt.io',
        'virtualmachineinstances.kubevirt.io',
        'datavolumes.cdi.kubevirt.io',
        'storageprofiles.cdi.kubevirt.io',
        'network-attachment-definitions.k8s.cni.cncf.io',
      ]),
    );
    // Not a schema of ours: an image without a source is refused in Harvester's own words.
    const image = {
      apiVersion: 'harvesterhci.io/v1beta1',
      kind: 'VirtualMachineImage',
      metadata: { name: 'nothing', namespace: 'default' },
      spec: { backend: 'paper' },
    };
    await expect(cluster.apply([image])).rejects.toThrow(/missing required field "sourceType"/);
  });

  test('gives a user no right but what RBAC says', async () => {
    const { kubeconfigPath } = await cluster.createUser('jo', ['viewers']);
    await expect(cluster.kubectl(['get', 'configmaps'], { kubeconfigPath })).rejects.toThrow(
      /User "jo" cannot list resource "configmaps"/,
    );
    await cluster.kubectl(['create', 'clusterrolebinding', 'viewers', '--clusterrole=view', '--group=viewers']);
    expect(await cluster.kubectl(['get', 'configmaps', '-o', 'name'], { kubeconfigPath })).toContain(
      'kube-root-ca.crt',
    );
    await expect(cluster.kubectl(['get', 'secrets'], { kubeconfigPath })).rejects.toThrow(
      /cannot list resource "secrets"/,
    );
  });

  test('makes tokens for an audience and recognises them, and no other', async () => {
    const token = (await cluster.kubectl(['create', 'token', 'default', '--audience=airlift'])).trim();
    const review = async (audience: string) => {
      const asked = {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenReview',
        spec: { token, audiences: [audience] },
      };
      const input = JSON.stringify(asked);
      return JSON.parse(await cluster.kubectl(['create', '-f', '-', '-o', 'json'], { input })).status;
    };
    expect(await review('airlift')).toMatchObject({
      authenticated: true,
      user: { username: 'system:serviceaccount:default:default' },
    });
    expect((await review('other')).authenticated).toBeUndefined();
  });

  test('keeps its objects while the API server is away, and comes back at the same address', async () => {
    await cluster.kubectl(['create', 'configmap', 'kept', '--from-literal=key=value']);
    await cluster.stopApiServer('SIGKILL');
    await expect(cluster.kubectl(['get', 'configmap', 'kept'])).rejects.toThrow(/refused/);
    await cluster.startApiServer();
    expect(await cluster.kubectl(['get', 'configmap', 'kept', '-o', 'jsonpath={.data.key}'])).toBe('value');
  });

  test('a second one runs beside it and knows nothing of it', async () => {
    let folder: string;
    {
      await using other = await startCluster();
      ({ folder } = other);
      expect(await other.kubectl(['get', 'customresourcedefinitions', '-o', 'name'])).toBe('');
      expect(other.server).not.toBe(cluster.server);
      await expect(other.kubectl(['get', 'pods'], { kubeconfigPath: cluster.admin.kubeconfigPath })).resolves.toBe('');
    }
    expect({ processes: findClusterProcesses(folder), folder: existsSync(folder) }).toEqual({
      processes: [],
      folder: false,
    });
    expect(await cluster.kubectl(['get', '--raw', '/readyz'])).toBe('ok');
  });
});
