import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Certificate, createCertificateAuthority } from './certificate-authority.ts';
import { claimClusterFolder, thisProcess, writeClusterRecord } from './cluster-folder.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import { installCrds } from './crds/install-crds.ts';
import { type CrdSet, type CustomResourceDefinition, loadCrds } from './crds/load-crds.ts';
import { startGuardian } from './guardian.ts';
import { buildTestImages } from './images/test-images.ts';
import { renderKubeconfig } from './kubeconfig.ts';
import { type Kubectl, kubectlFor } from './kubectl.ts';
import { buildKubernetes } from './kubernetes/build.ts';
import { createClusterCgroup } from './node/cluster-cgroup.ts';
import { createClusterNetwork } from './node/cluster-network.ts';
import { storageClassObjects } from './node/local-volume.ts';
import { type NodeOptions, startNode, type TestNode } from './node/start-node.ts';
import { removeAbandonedClusters, removeCluster } from './remove-cluster.ts';
import { reportStepsTo } from './step-reporter.ts';

export interface StartClusterOptions {
  /** Of the cluster, its folder and its context; one of its own unless given. */
  readonly name?: string;
  /** A node that runs Pods, which needs root; none unless told. */
  readonly node?: boolean | Partial<NodeOptions>;
  /** Names of real ones, or CRDs themselves; none unless told. */
  readonly crds?: readonly (CrdSet | CustomResourceDefinition)[];
  /** It ends with this process unless `until-removed`: then only `removeCluster` ends it. */
  readonly lifetime?: 'process' | 'until-removed';
  readonly onStep?: (step: string, durationMs: number) => void;
}

export interface ClusterUser extends Certificate {
  readonly kubeconfigPath: string;
}

/** A real Kubernetes of its own on this machine. Disposing it removes everything it left, and so does the end of the process that started it. */
export interface TestCluster extends AsyncDisposable {
  readonly name: string;
  /** Everything it writes; `logs/` holds what its programs print. */
  readonly folder: string;
  /** Such as `https://127.0.0.1:20123`. */
  readonly server: string;
  /** Of this machine as Pods reach it; servers of a test listen here. Loopback where there is no node. */
  readonly hostAddress: string;
  readonly caPem: string;
  /** May do everything: of the group system:masters. */
  readonly admin: ClusterUser;
  /** As admin unless told otherwise. */
  readonly kubectl: Kubectl;
  /** Applies objects, given as values or as YAML text, server-side. */
  apply(objects: string | readonly object[]): Promise<void>;
  /** Returns once the API serves them. */
  installCrds(crds: readonly (CrdSet | CustomResourceDefinition)[]): Promise<void>;
  /** A user with no rights but what RBAC gives to its name and groups. */
  createUser(name: string, groups?: readonly string[]): Promise<ClusterUser>;
  readonly stopApiServer: ControlPlane['stopApiServer'];
  readonly startApiServer: ControlPlane['startApiServer'];
  /** The one that was asked for; throws where none was. */
  readonly node: TestNode;
  /** One more, `node2` and so on; only where there is one already. */
  addNode(options?: Partial<NodeOptions>): Promise<TestNode>;
}

/**
 * Starts etcd and a control plane of the real programs, in seconds; the first time ever they are built, in minutes. RBAC is on, service accounts and their tokens work. Any number may run at
 * once. Clusters whose owner was killed are removed first.
 */
export async function startCluster(options: StartClusterOptions = {}): Promise<TestCluster> {
  const { name = `test-${randomBytes(4).toString('hex')}`, lifetime = 'process', crds = [] } = options;
  const report = reportStepsTo(options.onStep ?? (() => undefined));
  await removeAbandonedClusters();
  const programs = await report('programs', buildKubernetes);

  const folder = await claimClusterFolder(name);
  const guardian = startGuardian(folder);
  const remove = async () => {
    await removeCluster(folder);
    await guardian.release();
  };
  try {
    const network = options.node ? await report('network', () => createClusterNetwork(folder)) : undefined;
    const address = network?.hostAddress ?? '127.0.0.1';
    const authority = await createCertificateAuthority(`airlift test cluster ${name}`);
    const { server, ...controlPlane } = await startControlPlane({ folder, name, programs, authority, address, report });

    const caPem = authority.certificatePem;
    const writeUser = async (user: string, client: Certificate): Promise<ClusterUser> => {
      const kubeconfigPath = join(folder, `${user.replaceAll(/[^\w.-]/g, '_')}.kubeconfig`);
      await writeFile(kubeconfigPath, renderKubeconfig({ name, server, caPem, user, client }), { mode: 0o600 });
      return { ...client, kubeconfigPath };
    };
    const admin = await writeUser('admin', controlPlane.admin);
    const kubectl = kubectlFor(programs.kubectl, folder, admin.kubeconfigPath);
    const apply = async (objects: string | readonly object[]) => {
      const isText = typeof objects === 'string';
      const input = isText ? objects : JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
      await kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], { input });
    };
    const install = async (wanted: readonly (CrdSet | CustomResourceDefinition)[]) => {
      const real = await loadCrds(wanted.filter((each) => typeof each === 'string'));
      await installCrds(kubectl, [...real, ...wanted.filter((each) => typeof each !== 'string')]);
    };
    await report('namespace default', () => serviceAccountIsThere(kubectl));
    if (crds.length > 0) await report('CRDs', () => install(crds));

    const nodes: TestNode[] = [];
    const addNode = async (nodeOptions: Partial<NodeOptions> = {}) => {
      if (network === undefined) throw new Error('this cluster was started without a node');
      const index = nodes.length + 1;
      const node = await startNode({
        ...{ name: index === 1 ? 'node' : `node${index}`, ...nodeOptions, index },
        ...{ folder, clusterNetwork: network, server, authority, programs, kubectl, report },
        imageArchives: await buildTestImages(),
      });
      nodes.push(node);
      return node;
    };
    if (options.node) {
      await createClusterCgroup(folder);
      await apply(storageClassObjects());
      await addNode(options.node === true ? {} : options.node);
    }

    await writeClusterRecord(folder, { name, server, ...(lifetime === 'process' ? { owner: thisProcess() } : {}) });
    if (lifetime === 'until-removed') await guardian.release();
    return {
      name,
      folder,
      server,
      hostAddress: address,
      caPem,
      admin,
      kubectl,
      apply,
      installCrds: install,
      async createUser(user, groups = []) {
        return writeUser(user, await authority.issue({ commonName: user, organizations: groups }));
      },
      stopApiServer: controlPlane.stopApiServer,
      startApiServer: controlPlane.startApiServer,
      get node() {
        const [first] = nodes;
        if (first === undefined) throw new Error('this cluster was started without a node');
        return first;
      },
      addNode,
      [Symbol.asyncDispose]: remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Made by the controller manager once it works; before, every Pod of the namespace is refused. */
async function serviceAccountIsThere(kubectl: Kubectl): Promise<void> {
  const until = performance.now() + 60_000;
  for (;;) {
    try {
      await kubectl(['get', 'serviceaccount', 'default', '--namespace', 'default']);
      return;
    } catch (error) {
      if (performance.now() > until) throw error;
    }
    await delay(200);
  }
}
