import type { ImportPlan } from '../app/import-plan.ts';
import type { PlanOptions } from '../app/plan-import.ts';
import { isKubernetesName, toKubernetesName } from '../domain/kubernetes-name.ts';
import type { CommandCall, Flags } from './define-command.ts';
import { UsageError } from './usage-error.ts';

/** What the machine will be on the target. */
export const mappingFlags = {
  name: {
    type: 'text',
    placeholder: 'name',
    help: "Name on the target; made from the machine's own name unless given",
  },
  namespace: { type: 'text', placeholder: 'name', help: 'Namespace written into the manifest' },
  network: {
    type: 'list',
    placeholder: 'source=namespace/name',
    help: 'Counterpart of a network: a NetworkAttachmentDefinition, or "pod"; may be repeated',
  },
  'disk-bus': {
    type: 'choice',
    of: ['virtio', 'sata', 'scsi'],
    help: 'Bus of all disks, instead of the one chosen for each',
  },
  'boot-doubt': {
    type: 'choice',
    of: ['warn', 'block'],
    default: 'warn',
    help: 'What to do when it is doubtful that the guest starts on its new disk bus',
  },
  'storage-class': { type: 'text', placeholder: 'name', help: 'StorageClass written into the manifest' },
} as const satisfies Flags;

/** @throws UsageError for what Kubernetes would refuse later */
export function readMapping({
  flags,
}: Pick<CommandCall<typeof mappingFlags>, 'flags'>): Pick<PlanOptions, 'targetName' | 'mapping'> {
  const { name, namespace } = flags;
  const storageClassName = flags['storage-class'];
  const diskBus = flags['disk-bus'];
  if (name !== undefined && !isKubernetesName(name))
    throw new UsageError(`--name "${name}" is no name for Kubernetes; "${toKubernetesName(name)}" would be`);
  if (namespace !== undefined && !isKubernetesName(namespace))
    throw new UsageError(`--namespace "${namespace}" is no name of a namespace; use a-z, 0-9 and "-", at most 63`);
  if (storageClassName !== undefined && !isSubdomain(storageClassName))
    throw new UsageError(`--storage-class "${storageClassName}" is no name of a class; use a-z, 0-9, "-" and "."`);
  return {
    targetName: name,
    mapping: {
      networks: readNetworks(flags.network),
      bootDoubt: flags['boot-doubt'],
      ...(namespace === undefined ? {} : { namespace }),
      ...(diskBus === undefined ? {} : { diskBus }),
      ...(storageClassName === undefined ? {} : { storageClassName }),
    },
  };
}

/** Networks that `--network` names and no card is on: most likely misspelt. */
export function findUnusedNetworks(given: readonly string[], plans: readonly ImportPlan[]): string[] {
  const used = new Set(plans.flatMap(({ machine }) => machine.nics.map(({ network }) => network)));
  return [...readNetworks(given).keys()].filter((network) => !used.has(network));
}

function readNetworks(given: readonly string[]): Map<string, string> {
  const networks = new Map<string, string>();
  for (const text of given) {
    // The source's name may hold "=", a Kubernetes name cannot.
    const at = text.lastIndexOf('=');
    const [from, to] = [text.slice(0, Math.max(0, at)), text.slice(at + 1)];
    if (from === '' || !isNetworkName(to)) {
      const wanted = '"<source network>=<namespace>/<name>" or "<source network>=pod"';
      throw new UsageError(`--network wants ${wanted}, not "${text}"`);
    }
    if ((networks.get(from) ?? to) !== to) throw new UsageError(`--network gives two counterparts to "${from}"`);
    networks.set(from, to);
  }
  return networks;
}

function isNetworkName(text: string): boolean {
  const [namespace = '', name, more] = text.split('/');
  return (
    text === 'pod' || (more === undefined && name !== undefined && isKubernetesName(namespace) && isSubdomain(name))
  );
}

/** RFC 1123 subdomain. */
function isSubdomain(text: string): boolean {
  return text.length <= 253 && text.split('.').every(isKubernetesName);
}
