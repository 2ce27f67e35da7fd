import type { MappedMachine } from '../domain/hardware-mapping.ts';
import type { MappedDisk, MappedHardware } from '../domain/mapping/mapped-machine.ts';
import { toKubernetesYaml } from './kubernetes-yaml.ts';
import { renderInstructions } from './manifest-instructions.ts';
import { virtualMachineObject } from './virtual-machine-object.ts';

const MIB = 1024 * 1024;

/** A disk as it was written, in the order of the machine's disks. */
export interface ManifestDisk {
  readonly fileName: string;
  readonly virtualSizeBytes: number;
  readonly format: 'qcow2' | 'raw';
}

export interface ManifestOptions {
  /** The name under which the text is stored, for the instructions. */
  readonly fileName?: string;
  /** ReadWriteOnce works with every storage; live migration needs ReadWriteMany. */
  readonly accessMode?: 'ReadWriteOnce' | 'ReadWriteMany';
}

/**
 * A multi-document YAML text: how to bring the machine into a cluster, as comments; a PersistentVolumeClaim per disk; the VirtualMachine.
 * Always the same for the same input. Everything in it is admissible to KubeVirt 1.7 (machine-manifest.integration.test.ts asks KubeVirt itself).
 */
export function renderMachineManifest(
  mapped: MappedMachine,
  disks: readonly ManifestDisk[],
  options: ManifestOptions = {},
): string {
  const { hardware } = mapped;
  const pairs = hardware.disks.map((disk, index) => {
    const written = disks[index];
    if (written === undefined) throw new Error(`disk ${disk.id} of ${hardware.name} was not written`);
    return { disk, written };
  });
  const claims = pairs.map(({ disk, written }) => claim(hardware, disk, written, options));
  // Not labelled as imported by Harvester's controller, which would take the machine for one of its own.
  const documents = [...claims, virtualMachineObject(hardware)].map(toKubernetesYaml);
  const uploads = pairs.map(({ disk, written }) => ({ claimName: disk.claimName, ...written }));
  return [renderInstructions(hardware, uploads, options.fileName ?? 'machine.yaml'), ...documents].join('---\n');
}

/** The annotations are those that `virtctl image-upload` puts on claims it creates itself; the last one (`--force-bind`) lets it fill a claim that no Pod has used yet. */
function claim(hardware: MappedHardware, disk: MappedDisk, written: ManifestDisk, options: ManifestOptions): object {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: disk.claimName,
      ...namespaceOf(hardware),
      labels: { 'app.kubernetes.io/part-of': hardware.name, 'app.kubernetes.io/component': 'disk' },
      annotations: {
        'cdi.kubevirt.io/storage.upload.target': '',
        'cdi.kubevirt.io/storage.contentType': 'kubevirt',
        'cdi.kubevirt.io/storage.bind.immediate.requested': '',
      },
    },
    spec: {
      accessModes: [options.accessMode ?? 'ReadWriteOnce'],
      volumeMode: 'Block',
      ...(hardware.storageClassName === undefined ? {} : { storageClassName: hardware.storageClassName }),
      resources: { requests: { storage: `${Math.max(1, Math.ceil(written.virtualSizeBytes / MIB))}Mi` } },
    },
  };
}

function namespaceOf({ namespace }: MappedHardware): { namespace?: string } {
  return namespace === undefined ? {} : { namespace };
}
