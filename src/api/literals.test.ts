import { expect, test } from 'vitest';
import * as literals from './literals.ts';

// Spelt out once more, from section 11 of the reference: stored objects hold these words, so a change of one is a break.
test.each([
  [literals.API_VERSION, 'migration.harvesterhci.io/v1beta1'],
  [literals.IMPORTED_LABEL, 'migration.harvesterhci.io/imported'],
  [literals.IMAGE_DISPLAY_NAME_LABEL, 'harvesterhci.io/imageDisplayName'],
  [literals.VM_NAME_LABEL, 'harvesterhci.io/vmName'],
  [literals.IMAGE_STORAGE_CLASS_ANNOTATION, 'harvesterhci.io/storageClassName'],
  [literals.IMAGE_ID_ANNOTATION, 'harvesterhci.io/imageId'],
  [literals.DESCRIPTION_ANNOTATION, 'field.cattle.io/description'],
  [literals.VOLUME_CLAIM_TEMPLATES_ANNOTATION, 'harvesterhci.io/volumeClaimTemplates'],
  [literals.IMPORT_FINALIZER, 'wrangler.cattle.io/virtualmachine-import-controller'],
  [literals.CONTROLLER_SERVICE_ADDRESS, 'harvester-vm-import-controller.harvester-system.svc:8080'],
  [literals.CONTROLLER_NAME, 'harvester-vm-import-controller'],
  [literals.CONTROLLER_NAMESPACE, 'harvester-system'],
  [literals.ADDON_NAME, 'vm-import-controller'],
  [literals.SCRATCH_FOLDER, '/tmp/vm-import-controller'],
  [literals.IMAGE_IMPORT_FAILED_REASON, 'ImportFailed'],
  [literals.EXPORT_FAILED_PREFIX, 'error exporting VM: '],
])('%s', (literal, spelling) => {
  expect(literal).toBe(spelling);
});

test.each([
  ['status of a source', literals.sourceStatuses, ['clusterReady', 'clusterNotReady']],
  [
    'status of an import',
    literals.importStatuses,
    [
      'virtualMachineImportValid',
      'sourceReady',
      'disksExported',
      'diskImageSubmitted',
      'diskImageFailed',
      'diskImagesReady',
      'virtualMachineCreated',
      'virtualMachineRunning',
      'virtualMachineImportInvalid',
      'VMMigrationFailed',
    ],
  ],
  ['conditions of a source', literals.sourceConditions, ['ClusterReady', 'ClusterError']],
  [
    'conditions of an import',
    literals.importConditions,
    ['VMShutdownGuest', 'VMPoweringOff', 'VMPoweredOff', 'VMExported', 'VMExportFailed'],
  ],
  [
    'conditions of a disk',
    literals.diskConditions,
    ['VirtualMachineImageSubmitted', 'VirtualMachineImageReady', 'VirtualMachineImageFailed'],
  ],
  ['conditions of an image', literals.imageConditions, ['Initialized', 'Imported', 'RetryLimitExceeded']],
])('%s', (_name, words, spellings) => {
  expect(Object.values(words)).toEqual(spellings);
});

test('labels of ours are in the group of our kinds, where no other program puts any', () => {
  for (const label of [literals.IMPORT_UID_LABEL, literals.DISK_INDEX_LABEL, literals.EPOCH_LABEL]) {
    expect(label).toMatch(/^migration\.harvesterhci\.io\/[-a-z]+$/);
  }
});
