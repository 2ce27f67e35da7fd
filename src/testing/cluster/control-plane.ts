import { mkdir, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { type Certificate, type CertificateAuthority, createServiceAccountKeys } from './certificate-authority.ts';
import { ClusterProcess } from './cluster-process.ts';
import { findFreePort } from './free-port.ts';
import { renderKubeconfig } from './kubeconfig.ts';
import type { KubernetesPrograms } from './kubernetes/build.ts';
import type { StepReporter } from './step-reporter.ts';

/** Of Services; reachable from Pods only. The first one is the API's own. */
export const SERVICE_NETWORK = '10.96.0.0/16';
export const API_SERVICE_ADDRESS = '10.96.0.1';

export interface ControlPlaneOptions {
  readonly folder: string;
  readonly name: string;
  readonly programs: KubernetesPrograms;
  readonly authority: CertificateAuthority;
  /** Where the API listens. Loopback, or the address by which nodes reach this machine. */
  readonly address: string;
  readonly report: StepReporter;
}

/** etcd, the API server, the controller manager and the scheduler, as processes of this machine. */
export interface ControlPlane {
  readonly server: string;
  /** Of the group system:masters, which no RBAC rule binds. */
  readonly admin: Certificate;
  /** Ends the API server, by itself or as a crash would; everything else keeps running and tries again. */
  stopApiServer(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Starts it again at the same address, and returns once it is ready. */
  startApiServer(): Promise<void>;
}

export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { folder, programs, authority, address, report } = options;
  const [etcdPort, peerPort, apiPort] = await findFreePorts(address);
  const server = `https://${address}:${apiPort}`;
  const files = await writeFiles(options, server);
  const start = (program: string, args: readonly string[]) =>
    ClusterProcess.start({ program, args, folder, logPath: join(folder, 'logs', `${program.split('/').at(-1)}.log`) });

  await report('etcd', () => startEtcd(start, folder, etcdPort, peerPort));

  const startApiServer = async () => {
    const apiServer = await start(
      programs['kube-apiserver'],
      apiServerArguments(files, { address, apiPort, etcdPort, folder }),
    );
    await apiServer.waitUntil('ready', () => isReady(server, authority.certificatePem, files.admin));
    return apiServer;
  };
  let apiServer = await report('kube-apiserver', startApiServer);

  await report('kube-controller-manager, kube-scheduler', async () => {
    await Promise.all([
      start(programs['kube-controller-manager'], controllerManagerArguments(files)),
      start(programs['kube-scheduler'], schedulerArguments(files)),
    ]);
  });

  return {
    server,
    admin: files.admin,
    stopApiServer: (signal) => apiServer.stop(signal),
    async startApiServer() {
      if (!apiServer.isRunning) apiServer = await startApiServer();
    },
  };
}

async function findFreePorts(address: string): Promise<readonly [number, number, number]> {
  const ports = [await findFreePort(), await findFreePort(), await findFreePort(address)] as const;
  return new Set(ports).size === ports.length ? ports : findFreePorts(address);
}

type StartProgram = (program: string, args: readonly string[]) => Promise<ClusterProcess>;

async function startEtcd(start: StartProgram, folder: string, port: number, peerPort: number): Promise<void> {
  const [client, peer] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`];
  const etcd = await start('etcd', [
    `--data-dir=${join(folder, 'etcd')}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    '--log-level=warn',
    '--logger=zap',
    // A test's cluster does not outlive the machine; without this every write of every object waits for the disk.
    '--unsafe-no-fsync',
  ]);
  await etcd.waitUntil('healthy', async () => {
    try {
      return (await fetch(`${client}/health`)).ok;
    } catch {
      return false;
    }
  });
}

interface ControlPlaneFiles {
  readonly admin: Certificate;
  /** Path of a file in the folder of certificates and keys. */
  readonly path: (name: string) => string;
}

async function writeFiles({ folder, name, authority, address }: ControlPlaneOptions, server: string) {
  const path = (file: string) => join(folder, 'pki', file);
  await mkdir(path(''), { recursive: true });
  const write = (file: string, content: string) => writeFile(path(file), content, { mode: 0o600 });
  const writePair = async (file: string, { certificatePem, keyPem }: Certificate) => {
    await write(`${file}.crt`, certificatePem);
    await write(`${file}.key`, keyPem);
  };
  const hosts = [
    ...new Set([address, '127.0.0.1', API_SERVICE_ADDRESS]),
    'localhost',
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
  ];
  const serviceAccountKeys = createServiceAccountKeys();
  const admin = await authority.issue({ commonName: 'admin', organizations: ['system:masters'] });
  await Promise.all([
    writePair('ca', authority),
    writePair('apiserver', await authority.issue({ commonName: 'kube-apiserver', hosts })),
    writePair(
      'apiserver-kubelet-client',
      await authority.issue({ commonName: 'kube-apiserver-kubelet-client', organizations: ['system:masters'] }),
    ),
    write('service-account.key', serviceAccountKeys.privatePem),
    write('service-account.pub', serviceAccountKeys.publicPem),
    ...['kube-controller-manager', 'kube-scheduler'].map(async (component) => {
      const user = `system:${component}`;
      const client = await authority.issue({ commonName: user });
      const caPem = authority.certificatePem;
      await write(`${component}.kubeconfig`, renderKubeconfig({ name, server, caPem, user, client }));
    }),
  ]);
  return { admin, path } satisfies ControlPlaneFiles;
}

function apiServerArguments(
  { path }: ControlPlaneFiles,
  at: { readonly address: string; readonly apiPort: number; readonly etcdPort: number; readonly folder: string },
): string[] {
  const isLoopback = at.address.startsWith('127.');
  return [
    `--etcd-servers=http://127.0.0.1:${at.etcdPort}`,
    `--bind-address=${at.address}`,
    `--secure-port=${at.apiPort}`,
    // A loopback address is refused for the endpoints of the service `kubernetes`; without a node nobody needs them.
    ...(isLoopback ? ['--endpoint-reconciler-type=none'] : [`--advertise-address=${at.address}`]),
    `--service-cluster-ip-range=${SERVICE_NETWORK}`,
    `--tls-cert-file=${path('apiserver.crt')}`,
    `--tls-private-key-file=${path('apiserver.key')}`,
    `--client-ca-file=${path('ca.crt')}`,
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    `--service-account-key-file=${path('service-account.pub')}`,
    `--service-account-signing-key-file=${path('service-account.key')}`,
    `--kubelet-client-certificate=${path('apiserver-kubelet-client.crt')}`,
    `--kubelet-client-key=${path('apiserver-kubelet-client.key')}`,
    `--kubelet-certificate-authority=${path('ca.crt')}`,
    '--kubelet-preferred-address-types=InternalIP',
    '--allow-privileged=true',
    '--profiling=false',
  ];
}

/** Of one machine: no election of a leader, nothing served; enough requests a second for a thousand objects at once. */
const COMPONENT = ['--leader-elect=false', '--secure-port=0', '--kube-api-qps=200', '--kube-api-burst=400'];

function controllerManagerArguments({ path }: ControlPlaneFiles): string[] {
  return [
    ...COMPONENT,
    `--kubeconfig=${path('kube-controller-manager.kubeconfig')}`,
    '--use-service-account-credentials=true',
    `--service-account-private-key-file=${path('service-account.key')}`,
    `--root-ca-file=${path('ca.crt')}`,
    `--cluster-signing-cert-file=${path('ca.crt')}`,
    `--cluster-signing-key-file=${path('ca.key')}`,
    // A node that died is noticed within seconds instead of most of a minute; its kubelet speaks up as often (node-files.ts).
    '--node-monitor-period=2s',
    '--node-monitor-grace-period=15s',
  ];
}

function schedulerArguments({ path }: ControlPlaneFiles): string[] {
  return [...COMPONENT, `--kubeconfig=${path('kube-scheduler.kubeconfig')}`];
}

function isReady(server: string, ca: string, client: Certificate): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request(
      `${server}/readyz`,
      { ca, cert: client.certificatePem, key: client.keyPem, agent: false },
      (response) => {
        response.resume();
        response.once('end', () => resolve(response.statusCode === 200));
      },
    );
    asked.once('error', () => resolve(false));
    asked.end();
  });
}
