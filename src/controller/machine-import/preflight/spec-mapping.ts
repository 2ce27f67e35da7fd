import type { ImportSpec } from '../../../api/virtual-machine-import.ts';
import type { Machine } from '../../../domain/machine.ts';
import type { DiskBus, MappingOptions, NicModel } from '../../../domain/mapping/mapped-machine.ts';

/**
 * The mapping that a spec asks for, of this machine: upstream's rules of networks and fallbacks (reference section 4.6), and our own fields for single disks.
 * @param claimNameOf of disks whose claim nobody names; made of the machine's name where this says nothing
 */
export function mappingOf(
  spec: ImportSpec,
  namespace: string,
  machine: Pick<Machine, 'nics' | 'disks'>,
  claimNameOf: (index: number) => string | undefined = () => undefined,
): Omit<MappingOptions, 'targetName' | 'diskFormat'> {
  const networks = new Map<string, string>();
  const nicModels = new Map<string, NicModel>();
  for (const { network } of machine.nics) {
    if (network === undefined) continue;
    const entry = findMapping(spec, network);
    if (entry?.destinationNetwork === undefined) continue;
    const { destinationNetwork, networkInterfaceModel } = entry;
    networks.set(network, destinationNetwork.includes('/') ? destinationNetwork : `${namespace}/${destinationNetwork}`);
    if (isNicModel(networkInterfaceModel)) nicModels.set(network, networkInterfaceModel);
  }
  const { storageClass, defaultDiskBusType, defaultNetworkInterfaceModel } = spec;
  const disks = machine.disks.flatMap((disk, index) => {
    const own = ownWord(spec, disk.id, index);
    const claimName = own?.claimName ?? claimNameOf(index);
    return own === undefined && claimName === undefined ? [] : [[disk.id, { bus: own?.bus, claimName }] as const];
  });
  return {
    namespace,
    networks,
    nicModels,
    unmappedNics: 'leftOut',
    disks: new Map(disks),
    runStrategy: 'RerunOnFailure',
    ...(storageClass === undefined ? {} : { storageClassName: storageClass }),
    ...(isDiskBus(defaultDiskBusType) ? { defaultDiskBus: defaultDiskBusType } : {}),
    ...(isNicModel(defaultNetworkInterfaceModel) ? { defaultNicModel: defaultNetworkInterfaceModel } : {}),
  };
}

/** What `spec.disks` says of one disk. */
export function ownWord({ disks = [] }: ImportSpec, id: string, index: number) {
  return disks.find((each) => each.id === id || each.index === index);
}

/**
 * The whole name first. Upstream's preflight accepts `folder/name` by its last part, but its mapping then never matches (W17): here the last part matches too.
 */
function findMapping({ networkMapping = [] }: ImportSpec, network: string) {
  return (
    networkMapping.find(({ sourceNetwork }) => sourceNetwork === network) ??
    networkMapping.find(({ sourceNetwork }) => sourceNetwork?.split('/').at(-1) === network)
  );
}

const BUSES: readonly string[] = ['virtio', 'sata', 'scsi', 'usb'] satisfies DiskBus[];
const MODELS: readonly string[] = ['virtio', 'e1000', 'e1000e', 'pcnet', 'rtl8139', 'ne2k_pci'] satisfies NicModel[];

export function isDiskBus(text: string | undefined): text is DiskBus {
  return text !== undefined && BUSES.includes(text);
}

export function isNicModel(text: string | undefined): text is NicModel {
  return text !== undefined && MODELS.includes(text);
}
