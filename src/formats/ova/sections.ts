import { ProblemError } from '../../domain/problems.ts';
import { isOvf, isTrue, ovfAttribute, ovfKind, place, quote, VMW_NAMESPACE } from './ovf-elements.ts';
import type { XmlElement } from './xml-tree.ts';

/** Elements that are read, at whatever level they stand. */
const READ = new Set([
  'References',
  'DiskSection',
  'SharedDiskSection',
  'NetworkSection',
  'DeploymentOptionSection',
  'VirtualSystem',
  'VirtualSystemCollection',
  'VirtualHardwareSection',
  'OperatingSystemSection',
  'AnnotationSection',
  'ProductSection',
  'EulaSection',
  'StartupSection',
  'Info',
  'Name',
  'Strings',
]);

/** Sections that say nothing about the machine's hardware or disks: how it is placed, started the first time, or sized within a resource pool. */
const PASSED_OVER = new Set([
  'ResourceAllocationSection',
  'InstallSection',
  'EnvironmentFilesSection',
  'BootDeviceSection',
  'ScaleOutSection',
  'PlacementGroupSection',
  'PlacementSection',
]);

const VMW_READ = new Set(['BootOrderSection']);
const VMW_PASSED_OVER = new Set([
  'IpAssignmentSection',
  'CpuCompatibilitySection',
  'StorageSection',
  'StorageGroupSection',
  'TagBasedPlacementSection',
  'TagBasedPlacementGroupSection',
  'VirtualDeviceGroupSection',
  'MigrationUpgradeRequisitesSection',
]);

/**
 * Names the sections of an envelope, collection or machine that are passed over.
 * @throws ProblemError `OvfUnsupported` for one that may not be: an unknown section is required unless it says otherwise (DSP0243, Extensibility)
 */
export function checkSections(parent: XmlElement): string[] {
  const ignored: string[] = [];
  for (const section of parent.children) {
    const kind = ovfKind(section);
    if (kind !== undefined && READ.has(kind)) continue;
    if (section.namespace === VMW_NAMESPACE && VMW_READ.has(section.name)) continue;
    const isHarmless =
      (section.name === 'Strings' && section.namespace.startsWith('http://schemas.dmtf.org/ovf/')) ||
      (kind !== undefined && PASSED_OVER.has(kind)) ||
      (section.namespace === VMW_NAMESPACE && VMW_PASSED_OVER.has(section.name));
    if (!isHarmless && isRequired(section)) {
      throw new ProblemError(
        'OvfUnsupported',
        `${place(section)}: the required section ${quote(kind ?? section.name)}${isOvf(section.namespace) ? '' : ` of ${quote(section.namespace)}`} is not known here`,
      );
    }
    if (isSection(section)) ignored.push(kind ?? section.name);
  }
  return ignored;
}

function isRequired(element: XmlElement): boolean {
  const required = ovfAttribute(element, 'required');
  return required === undefined ? isSection(element) : isTrue(required);
}

/** Plain elements beside the sections (oVirt writes dozens) are details of the writer. */
function isSection(element: XmlElement): boolean {
  return !isOvf(element.namespace) || (ovfKind(element) ?? '').endsWith('Section');
}
