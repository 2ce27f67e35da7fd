import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildGoPrograms } from '../../go/build-go.ts';

const COMMANDS = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kube-proxy',
  'kubelet',
  'kubectl',
] as const;

/** Paths of the programs. */
export type KubernetesPrograms = Readonly<Record<(typeof COMMANDS)[number], string>>;

/** The version that go.mod beside this file names, such as `1.35.4`. */
export function kubernetesVersion(): string {
  const [, version] = /^require k8s\.io\/kubernetes v(\S+)$/m.exec(readFileSync(modulePath('go.mod'), 'utf8')) ?? [];
  if (version === undefined) throw new Error(`${modulePath('go.mod')} requires no k8s.io/kubernetes`);
  return version;
}

/** Kubernetes itself, from its Go modules: nine minutes on two cores with Go's cache cold, then from the cache. */
export async function buildKubernetes(): Promise<KubernetesPrograms> {
  const version = kubernetesVersion();
  const [major, minor] = version.split('.');
  const variables = { gitVersion: `v${version}`, gitMajor: major, gitMinor: minor };
  const folder = await buildGoPrograms({
    name: 'kubernetes',
    folder: import.meta.dirname,
    packages: COMMANDS.map((command) => `k8s.io/kubernetes/cmd/${command}`),
    // Without a version of its own the API server calls itself v0.0.0, which clients take for one without any feature.
    ldflags: [
      '-s -w',
      ...Object.entries(variables).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`),
    ].join(' '),
    duration: 'up to ten minutes on two cores',
  });
  return Object.fromEntries(COMMANDS.map((command) => [command, join(folder, command)])) as KubernetesPrograms;
}

function modulePath(file: string): string {
  return join(import.meta.dirname, file);
}
