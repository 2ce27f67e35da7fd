/**
 * The words that objects, labels and URLs of Harvester's vm-import-controller are made of. Stored objects, dashboards and scripts hold them, so each is spelt as that controller
 * spells it; literals.test.ts pins them one by one.
 */

export const API_GROUP = 'migration.harvesterhci.io';
export const API_VERSION = 'migration.harvesterhci.io/v1beta1';

/** On what was imported, with the value `true`. Harvester's webhook allows a machine on an image's own volume only with it. */
export const IMPORTED_LABEL = 'migration.harvesterhci.io/imported';
export const IMAGE_DISPLAY_NAME_LABEL = 'harvesterhci.io/imageDisplayName';
/** On the template of a VirtualMachine; Harvester's services select by it. */
export const VM_NAME_LABEL = 'harvesterhci.io/vmName';

export const IMAGE_STORAGE_CLASS_ANNOTATION = 'harvesterhci.io/storageClassName';
/** On a PVC made from an image: `<namespace>/<image>`. */
export const IMAGE_ID_ANNOTATION = 'harvesterhci.io/imageId';
export const DESCRIPTION_ANNOTATION = 'field.cattle.io/description';
/** JSON list of the PVCs that belong to a machine, from which Harvester offers to keep or remove them. */
export const VOLUME_CLAIM_TEMPLATES_ANNOTATION = 'harvesterhci.io/volumeClaimTemplates';

/** Found on objects of the old controller, whose name it carries; ours use it too, so that either can finish what the other began. */
export const IMPORT_FINALIZER = 'wrangler.cattle.io/virtualmachine-import-controller';

/** Deployment, Service and ServiceAccount of either controller; URLs stored in images point at the Service. */
export const CONTROLLER_NAME = 'harvester-vm-import-controller';
export const CONTROLLER_NAMESPACE = 'harvester-system';
export const CONTROLLER_SERVICE_ADDRESS = 'harvester-vm-import-controller.harvester-system.svc:8080';
export const SCRATCH_FOLDER = '/tmp/vm-import-controller';
/** Packaged with Harvester. */
export const ADDON_NAME = 'vm-import-controller';

export const sourceStatuses = { ready: 'clusterReady', notReady: 'clusterNotReady' } as const;
export type SourceStatus = (typeof sourceStatuses)[keyof typeof sourceStatuses];

/** `status.importStatus`, in the order in which an import passes them; the last two are ends. Empty before preflight. */
export const importStatuses = {
  valid: 'virtualMachineImportValid',
  sourceReady: 'sourceReady',
  disksExported: 'disksExported',
  imagesSubmitted: 'diskImageSubmitted',
  imagesFailed: 'diskImageFailed',
  imagesReady: 'diskImagesReady',
  machineCreated: 'virtualMachineCreated',
  machineRunning: 'virtualMachineRunning',
  invalid: 'virtualMachineImportInvalid',
  failed: 'VMMigrationFailed',
} as const;
export type ImportStatus = (typeof importStatuses)[keyof typeof importStatuses];

export const sourceConditions = { ready: 'ClusterReady', error: 'ClusterError' } as const;
export type SourceConditionType = (typeof sourceConditions)[keyof typeof sourceConditions];

/** Of `status.importConditions`: upstream's milestones. */
export const importConditions = {
  shutdownGuest: 'VMShutdownGuest',
  poweringOff: 'VMPoweringOff',
  poweredOff: 'VMPoweredOff',
  exported: 'VMExported',
  exportFailed: 'VMExportFailed',
} as const;
/** Of `status.importConditions`: ours, in the same list. */
export const airliftConditions = {
  preflightPassed: 'PreflightPassed',
  disksTransferred: 'DisksTransferred',
  stalled: 'Stalled',
  ready: 'Ready',
} as const;
export type ImportConditionType =
  | (typeof importConditions)[keyof typeof importConditions]
  | (typeof airliftConditions)[keyof typeof airliftConditions];

/** Of `status.diskImportStatus[].diskConditions`. */
export const diskConditions = {
  imageSubmitted: 'VirtualMachineImageSubmitted',
  imageReady: 'VirtualMachineImageReady',
  imageFailed: 'VirtualMachineImageFailed',
} as const;
export type DiskConditionType = (typeof diskConditions)[keyof typeof diskConditions];

/** Before the cause in the message of `VMExportFailed`. */
export const EXPORT_FAILED_PREFIX = 'error exporting VM: ';

/** Read on Harvester's VirtualMachineImages. */
export const imageConditions = {
  initialized: 'Initialized',
  imported: 'Imported',
  retryLimitExceeded: 'RetryLimitExceeded',
} as const;
/** Reason of `Imported` = False that Harvester set before 1.2.0 (W1). */
export const IMAGE_IMPORT_FAILED_REASON = 'ImportFailed';

// --- Airlift's own, see docs/decisions/0010-kubernetes.md

/** On everything that an import made, with the import's uid: by it orphans are found. */
export const IMPORT_UID_LABEL = 'migration.harvesterhci.io/import-uid';
export const MANAGED_BY_LABEL = 'app.kubernetes.io/managed-by';
export const MANAGED_BY = 'airlift';
/** On what belongs to one disk: its number among the machine's disks, from 0. */
export const DISK_INDEX_LABEL = 'migration.harvesterhci.io/disk';
/** On a transfer's Job and Pod (ruling 16). */
export const EPOCH_LABEL = 'migration.harvesterhci.io/epoch';
/** Of the worker's token (ruling 17). */
export const TOKEN_AUDIENCE = 'airlift';
/** Of server-side apply. */
export const FIELD_MANAGER = 'airlift';
/** Of what a person does by the command line. */
export const CLI_FIELD_MANAGER = 'airlift-cli';
/** The Lease that the controller in charge renews, unless its installation says otherwise. */
export const CONTROLLER_LEASE = 'airlift-controller';
