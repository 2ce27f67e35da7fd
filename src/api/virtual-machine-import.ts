import { z } from 'zod';
import type { KubernetesObject, ResourceKind } from '../domain/kubernetes-object.ts';
import { upstream, upstreamConditions } from './fields.ts';
import { importOptions } from './import-options.ts';
import { importProgress } from './import-progress.ts';
import { AGE_COLUMN, type KindDefinition } from './kind-definition.ts';
import { API_VERSION } from './literals.ts';
import { type Read, type Reading, readObject, type Stored } from './read-object.ts';

const NIC_MODELS = ['e1000', 'e1000e', 'ne2k_pci', 'pcnet', 'rtl8139', 'virtio', ''];

const sourceCluster = upstream.struct('The source to import from.', {
  kind: upstream.text('`VmwareSource`, `OpenstackSource` or `OvaSource`, in any case.'),
  namespace: upstream.text('Namespace of the source; must be given.'),
  name: upstream.text('Name of the source.'),
  uid: upstream.text('Not used.'),
  apiVersion: upstream.text(`Must be \`${API_VERSION}\`.`),
  resourceVersion: upstream.text('Not used.'),
  fieldPath: upstream.text('Not used.'),
});

const networkMapping = upstream.element('One network.', {
  sourceNetwork: upstream.text('Name of the network on the source; unique in the list.'),
  destinationNetwork: upstream.text(
    'NetworkAttachmentDefinition as `name` (in the namespace of the import) or `namespace/name`.',
  ),
  networkInterfaceModel: upstream.text('Instead of the model that the card has on its source.', { enum: NIC_MODELS }),
});

const diskStatus = upstream.element('One disk.', {
  diskName: upstream.text('Name of its file.'),
  diskSize: upstream.integer('Bytes. The old controller wrote GiB for OpenStack.'),
  diskLocalPath: upstream.text('Folder of that file in the old controller; empty for a disk that never was a file.'),
  diskRoute: upstream.text('Not used.'),
  VirtualMachineImage: upstream.text('Name of the image; empty unless the target is `image`.'),
  diskConditions: upstreamConditions(
    '`VirtualMachineImageSubmitted`, `VirtualMachineImageReady`, `VirtualMachineImageFailed`.',
  ),
  busType: upstream.text('Bus it is attached to.'),
});

const schema = z.object({
  spec: upstream.element('What to import, and how.', {
    sourceCluster,
    virtualMachineName: upstream.text(
      'Which machine: its name in the inventory of vSphere, the name or UUID of an OpenStack server. For an appliance it only names the new machine.',
    ),
    folder: upstream.text("vSphere: folder below the datacenter's `vm`; a leading `/` may be given."),
    networkMapping: upstream.list(
      'Which network each network of the source becomes. Cards without one are left out; a machine left without any card gets one on the Pod network.',
      networkMapping,
    ),
    defaultNetworkInterfaceModel: upstream.text('Model of cards whose own is not known.', {
      enum: NIC_MODELS,
      defaultText: '`virtio`',
    }),
    storageClass: upstream.text('StorageClass of the disks.', { defaultText: "the cluster's default class" }),
    defaultDiskBusType: upstream.text('Bus of disks whose own is not known: `virtio`, `scsi`, `sata` or `usb`.', {
      defaultText: '`virtio`',
    }),
    forcePowerOff: upstream.booleanPointer('vSphere: power off at once instead of asking the guest to shut down.', {
      defaultText: 'false',
    }),
    gracefulShutdownTimeoutSeconds: upstream.integer('vSphere: how long the guest may take before it is powered off.', {
      defaultText: '60, also for 0 and less',
    }),
    skipPreflightChecks: upstream.booleanPointer('Leave out the checks that are particular to the kind of source.', {
      defaultText: 'false',
    }),
    ...importOptions,
  }),
  status: upstream.element('How far it is.', {
    importStatus: upstream.text('State in the words of the old controller; empty before preflight.'),
    importedVirtualMachineName: upstream.text('Name of the VirtualMachine.'),
    importConditions: upstreamConditions(
      'Milestones: `VMShutdownGuest`, `VMPoweringOff`, `VMPoweredOff`, `VMExported`, `VMExportFailed`; and of Airlift `PreflightPassed`, `DisksTransferred`, `Stalled`, `Ready`.',
    ),
    diskImportStatus: upstream.list('The disks, in the order of boot.', diskStatus),
    newVirtualMachine: upstream.text('Not used.'),
    progress: importProgress,
  }),
});

export type StoredVirtualMachineImport = Stored<typeof schema>;
export type VirtualMachineImport = Read<typeof schema>;
export type ImportSpec = VirtualMachineImport['spec'];
export type ImportStatusFields = VirtualMachineImport['status'];
export type ImportProgress = NonNullable<ImportStatusFields['progress']>;
export type DiskProgress = NonNullable<ImportProgress['disks']>[number];

export const virtualMachineImportKind: ResourceKind<StoredVirtualMachineImport> = {
  apiVersion: API_VERSION,
  kind: 'VirtualMachineImport',
  plural: 'virtualmachineimports',
  isNamespaced: true,
};

export const virtualMachineImportDefinition: KindDefinition = {
  resource: virtualMachineImportKind,
  singular: 'virtualmachineimport',
  shortNames: ['vmimport'],
  columns: [
    { name: 'Status', type: 'string', jsonPath: '.status.importStatus' },
    { name: 'Phase', type: 'string', jsonPath: '.status.progress.phase' },
    { name: 'Progress', type: 'string', jsonPath: '.status.progress.percent' },
    { name: 'Reason', type: 'string', jsonPath: '.status.progress.reason' },
    { name: 'Machine', type: 'string', jsonPath: '.status.importedVirtualMachineName', priority: 1 },
    { name: 'Message', type: 'string', jsonPath: '.status.progress.message', priority: 1 },
    AGE_COLUMN,
  ],
  schema,
  summary: 'One machine to import: from which source, and what it shall become here.',
};

/** @see readObject */
export function readVirtualMachineImport(stored: KubernetesObject): Reading<VirtualMachineImport> {
  return readObject(schema, stored);
}
