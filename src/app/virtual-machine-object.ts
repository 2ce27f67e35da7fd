import type { KubernetesObject } from '../domain/kubernetes-object.ts';
import type { MappedHardware, MappedNic } from '../domain/mapping/mapped-machine.ts';

/** What only some ways of creating the machine add. */
export interface MoreMetadata {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface VirtualMachineObject extends KubernetesObject {
  readonly spec: { readonly runStrategy: string; readonly template: object };
}

/**
 * No resource limits: KubeVirt adds what QEMU needs to the guest's memory by itself, and Harvester's webhook takes 100 MiB off the guest's memory when a memory
 * limit is set.
 */
export function virtualMachineObject(hardware: MappedHardware, more: MoreMetadata = {}): VirtualMachineObject {
  const { platform, name, namespace } = hardware;
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(more.labels === undefined ? {} : { labels: more.labels }),
      annotations: { ...hardware.annotations, ...more.annotations },
    },
    spec: {
      runStrategy: hardware.runStrategy,
      template: {
        metadata: { labels: { 'harvesterhci.io/vmName': hardware.name } },
        spec: {
          evictionStrategy: 'LiveMigrateIfPossible',
          domain: {
            cpu: platform.cpu,
            memory: { guest: `${platform.memoryMebibytes}Mi` },
            ...firmware(hardware),
            features: { acpi: { enabled: true }, ...(platform.isSecureBoot ? { smm: { enabled: true } } : {}) },
            devices: devices(hardware),
          },
          networks: hardware.nics.map((nic) => ({
            name: nic.name,
            ...(nic.network === 'pod' ? { pod: {} } : { multus: { networkName: nic.network } }),
          })),
          volumes: hardware.disks.map((disk) => ({
            name: disk.name,
            persistentVolumeClaim: { claimName: disk.claimName },
          })),
        },
      },
    },
  };
}

function firmware({ platform }: MappedHardware): object {
  const efi = { secureBoot: platform.isSecureBoot, ...(platform.hasPersistentState ? { persistent: true } : {}) };
  const block = {
    ...(platform.uuid === undefined ? {} : { uuid: platform.uuid }),
    ...(platform.firmware === 'efi' ? { bootloader: { efi } } : {}),
  };
  return Object.keys(block).length === 0 ? {} : { firmware: block };
}

function devices({ disks, nics, platform }: MappedHardware): object {
  return {
    disks: disks.map(({ name, bootOrder, bus, serial }) => ({
      name,
      bootOrder,
      ...(serial === undefined ? {} : { serial }),
      disk: { bus },
    })),
    interfaces: nics.map(networkInterface),
    // Otherwise KubeVirt gives a card to a machine that had none.
    ...(nics.length === 0 ? { autoattachPodInterface: false } : {}),
    ...(platform.hasTpm ? { tpm: { persistent: platform.hasPersistentState } } : {}),
  };
}

function networkInterface({ name, model, network, macAddress, isConnected }: MappedNic): object {
  return {
    name,
    model,
    ...(macAddress === undefined ? {} : { macAddress }),
    ...(network === 'pod' ? { masquerade: {} } : { bridge: {} }),
    ...(isConnected ? {} : { state: 'down' }),
  };
}
