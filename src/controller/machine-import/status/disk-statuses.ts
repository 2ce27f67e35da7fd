import { diskConditions, type ImportStatus, importStatuses } from '../../../api/literals.ts';
import type { ImportStatusFields } from '../../../api/virtual-machine-import.ts';
import type { ObservedDisk, ObservedImport } from '../../../domain/next-action.ts';
import { type ConditionClaim, isConditionTrue, mergeConditions, type StoredCondition } from '../../conditions.ts';
import type { DiskPlan } from '../plan-record.ts';
import { hasReached } from './import-status.ts';
import type { StatusFacts } from './status-facts.ts';

type DiskStatus = NonNullable<ImportStatusFields['diskImportStatus']>[number];

/** Upstream's status of each disk. */
export function diskStatusesOf(
  { plan, seen, stored }: StatusFacts,
  importStatus: ImportStatus | undefined,
  now: string,
): DiskStatus[] {
  const hardware = new Map(plan?.hardware.disks.map((each) => [each.id, each]));
  return (plan?.disks ?? []).map((disk) => {
    const before = stored.diskImportStatus?.[disk.index];
    const seenDisk = seen.disks.find((each) => each.index === disk.index);
    const claims =
      disk.image === undefined ? volumeClaims(importStatus, seen) : imageClaims(seenDisk, before?.diskConditions ?? []);
    const bus = hardware.get(disk.id)?.bus;
    const diskConditionsNow = mergeConditions(before?.diskConditions ?? [], claims, now);
    return {
      ...(disk.image?.isAdopted ? before : {}),
      ...namesOfDisk(disk, before, claims),
      diskSize: disk.virtualSizeBytes,
      ...(bus === undefined ? {} : { busType: bus }),
      ...(diskConditionsNow.length === 0 ? {} : { diskConditions: diskConditionsNow }),
    };
  });
}

/** Upstream's `VirtualMachineImage` is there once the image is, where there is one. */
function namesOfDisk(
  { claimName, image }: DiskPlan,
  before: DiskStatus | undefined,
  claims: readonly ConditionClaim[],
): Partial<DiskStatus> {
  if (image === undefined || image.backend === 'upload') return { diskName: claimName };
  if (image.isAdopted) return {};
  const isThere = claims.some(({ type, status }) => type === diskConditions.imageSubmitted && status === 'True');
  const name = isThere ? image.name : before?.VirtualMachineImage;
  return { diskName: image.fileName, ...(name === undefined ? {} : { VirtualMachineImage: name }) };
}

/** A volume that is written directly says in upstream's words, and at upstream's moments, that it is there. */
function volumeClaims(importStatus: ImportStatus | undefined, seen: ObservedImport): ConditionClaim[] {
  const claims: ConditionClaim[] = [];
  if (hasReached(importStatus, importStatuses.imagesSubmitted))
    claims.push({ type: diskConditions.imageSubmitted, status: 'True' });
  if (hasReached(importStatus, importStatuses.imagesReady) && seen.disks.every(({ isDone }) => isDone))
    claims.push({ type: diskConditions.imageReady, status: 'True' });
  return claims;
}

/** What was said of an image that is given up is taken back (W2). */
function imageClaims(disk: ObservedDisk | undefined, before: readonly StoredCondition[]): ConditionClaim[] {
  const { image, isDone = false } = disk ?? {};
  if (image === undefined) return [];
  const isImported = isDone || image.state === 'imported';
  const isFailed = !isDone && image.state === 'failed';
  const why = isFailed ? { reason: image.code, message: image.message } : {};
  const facts = [
    { type: diskConditions.imageSubmitted, isTrue: isImported || image.state === 'importing' },
    { type: diskConditions.imageReady, isTrue: isImported },
    { type: diskConditions.imageFailed, isTrue: isFailed, ...why },
  ];
  const isWorthSaying = ({ type, isTrue }: (typeof facts)[number]) => isTrue || isConditionTrue(before, type);
  return facts
    .filter(isWorthSaying)
    .map(({ isTrue, ...claim }) => ({ ...claim, status: isTrue ? ('True' as const) : ('False' as const) }));
}
