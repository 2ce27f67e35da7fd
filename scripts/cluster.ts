// A Kubernetes of your own on this machine, for tests by hand: `npm run cluster -- up`. docs/test-cluster.md tells more.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import {
  clusterFolder,
  isAlive,
  listClusterFolders,
  readClusterRecord,
} from '../src/testing/cluster/cluster-folder.ts';
import { findClusterProcesses } from '../src/testing/cluster/cluster-process.ts';
import { CRD_SETS } from '../src/testing/cluster/crds/load-crds.ts';
import { buildKubernetes } from '../src/testing/cluster/kubernetes/build.ts';
import { CONTAINERD_SOCKET } from '../src/testing/cluster/node/node-files.ts';
import { removeAbandonedClusters, removeCluster } from '../src/testing/cluster/remove-cluster.ts';
import { startCluster } from '../src/testing/cluster/start-cluster.ts';

const DEFAULT_NAME = 'dev';

async function up(name: string, options: { readonly node: boolean; readonly crds: boolean }): Promise<void> {
  const started = performance.now();
  const cluster = await startCluster({
    name,
    node: options.node,
    crds: options.crds ? CRD_SETS : [],
    lifetime: 'until-removed',
    onStep: (step, durationMs) => console.log(`${seconds(durationMs).padStart(8)}  ${step}`),
  });
  console.log(`${seconds(performance.now() - started).padStart(8)}  up: ${cluster.server}

  export KUBECONFIG=${cluster.admin.kubeconfigPath}
  npm run --silent cluster -- kubectl${name === DEFAULT_NAME ? '' : ` --name ${name}`} get ${options.node ? 'nodes' : 'namespaces'}
  npm run --silent cluster -- down${name === DEFAULT_NAME ? '' : ` ${name}`}

What its programs print is in ${join(cluster.folder, 'logs')}.`);
}

async function down(name: string, options: { readonly all?: boolean }): Promise<void> {
  const folders = options.all ? await listClusterFolders() : [clusterFolder(name)];
  for (const folder of folders) {
    if (!existsSync(folder)) throw new Error(`there is no cluster ${name}; npm run cluster -- status lists them`);
    const started = performance.now();
    await removeCluster(folder);
    console.log(`${seconds(performance.now() - started).padStart(8)}  removed ${folder}`);
  }
}

async function status(): Promise<void> {
  const abandoned = await removeAbandonedClusters();
  for (const folder of abandoned) console.log(`removed ${folder}, whose owner has ended`);
  const folders = await listClusterFolders();
  if (folders.length === 0) console.log('no cluster; npm run cluster -- up starts one');
  for (const folder of folders) {
    const record = await readClusterRecord(folder);
    const programs = findClusterProcesses(folder).map(({ program }) => program);
    const owner = record?.owner;
    const lifetime = owner === undefined ? 'until down' : isAlive(owner) ? `with process ${owner.pid}` : 'ending';
    console.log(`${record?.name ?? folder}  ${record?.server ?? 'starting'}  ${lifetime}`);
    console.log(`  ${folder}`);
    console.log(`  ${programs.length === 0 ? 'stopped' : [...new Set(programs)].sort().join(', ')}`);
  }
}

function kubeconfigOf(name: string): string {
  const path = join(clusterFolder(name), 'admin.kubeconfig');
  if (!existsSync(path)) throw new Error(`there is no cluster ${name}; npm run cluster -- up ${name}`);
  return path;
}

function loadImage(archive: string, { name }: { readonly name: string }): void {
  const socket = join(clusterFolder(name), 'node', CONTAINERD_SOCKET);
  if (!existsSync(socket)) throw new Error(`cluster ${name} has no node; npm run cluster -- up --node ${name}`);
  const ctr = ['--address', socket, '--namespace', 'k8s.io', 'images', 'import', archive];
  process.exitCode = spawnSync('ctr', ctr, { stdio: 'inherit' }).status ?? 1;
}

async function kubectl(args: readonly string[], name: string): Promise<void> {
  const { kubectl: program } = await buildKubernetes();
  const env = { ...process.env, KUBECONFIG: kubeconfigOf(name) };
  process.exitCode = spawnSync(program, args, { stdio: 'inherit', env }).status ?? 1;
}

function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`;
}

const program = new Command('cluster')
  .description('A real Kubernetes on this machine, for tests')
  .enablePositionalOptions();
program
  .command('up')
  .description('start a cluster; it stays until `down`')
  .argument('[name]', 'of the cluster', DEFAULT_NAME)
  .option('--node', 'with a node that runs Pods (needs root)', false)
  .option('--no-crds', 'without the CRDs of Harvester, KubeVirt, CDI and Multus')
  .action(up);
program
  .command('down')
  .description('remove a cluster and everything it left')
  .argument('[name]', 'of the cluster', DEFAULT_NAME)
  .option('--all', 'every cluster of this machine, also those of running tests')
  .action(down);
program.command('status').description('list clusters; removes those whose owner was killed').action(status);
program
  .command('kubeconfig')
  .description('print the path of the admin kubeconfig')
  .argument('[name]', 'of the cluster', DEFAULT_NAME)
  .action((name: string) => console.log(kubeconfigOf(name)));
program
  .command('load')
  .description('make the images of an archive known to the node')
  .argument('<archive>', 'OCI or Docker image archive')
  .option('--name <name>', 'of the cluster', DEFAULT_NAME)
  .action(loadImage);
program
  .command('kubectl')
  .description('run kubectl of the same version on a cluster')
  .option('--name <name>', 'of the cluster', DEFAULT_NAME)
  .argument('[args...]')
  .passThroughOptions()
  .allowUnknownOption()
  .action((args: string[], options: { readonly name: string }) => kubectl(args, options.name));

try {
  await program.parseAsync();
} catch (error) {
  console.error(`cluster: ${(error as Error).message}`);
  process.exitCode = 1;
}
