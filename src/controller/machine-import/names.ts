import { createHash } from 'node:crypto';
import { DISK_INDEX_LABEL, EPOCH_LABEL, IMPORT_UID_LABEL, MANAGED_BY, MANAGED_BY_LABEL } from '../../api/literals.ts';

/** All names follow from the import's uid (docs/decisions/0010-kubernetes.md), so that a step done twice is done once. */
export interface ImportNames {
  readonly id: string;
  readonly plan: string;
  readonly report: string;
  checkpoint(disk: number): string;
  job(disk: number, epoch: number): string;
  /** Of a disk's VirtualMachineImage, and of the volume made of it. */
  image(disk: number): string;
  /** Of a transfer towards the worker: names the disk, not the run. */
  transfer(disk: number): string;
}

/** RFC 4648 base32 in lower case, whose letters all may stand in names. */
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
const ID_LENGTH = 10;

export function namesOf(importUid: string): ImportNames {
  const id = idOf(importUid);
  return {
    id,
    plan: `airlift-${id}-plan`,
    report: `airlift-${id}-report`,
    checkpoint: (disk) => `airlift-${id}-${disk}`,
    job: (disk, epoch) => `airlift-${id}-${disk}-${epoch}`,
    image: (disk) => `image-${id}-${disk}`,
    transfer: (disk) => `${importUid}.${disk}`,
  };
}

/** 50 bits of SHA-256. */
function idOf(importUid: string): string {
  const hash = createHash('sha256').update(importUid).digest();
  let bits = 0;
  let held = 0;
  let id = '';
  for (const byte of hash) {
    bits = (bits << 8) | byte;
    held += 8;
    while (held >= 5 && id.length < ID_LENGTH) {
      held -= 5;
      id += ALPHABET[(bits >> held) & 31];
      bits &= (1 << held) - 1;
    }
  }
  return id;
}

/** @throws RangeError for what `ImportNames.transfer` did not make */
export function parseTransferId(id: string): { readonly importUid: string; readonly disk: number } {
  const [, importUid, disk] = /^([0-9A-Za-z-]{1,64})\.(0|[1-9]\d{0,3})$/.exec(id) ?? [];
  if (importUid === undefined) throw new RangeError(`"${id.slice(0, 80)}" is no id of a transfer`);
  return { importUid, disk: Number(disk) };
}

/** On everything that an import makes. */
export function labelsOf(
  importUid: string,
  more: { readonly disk?: number; readonly epoch?: number } = {},
): Record<string, string> {
  return {
    [IMPORT_UID_LABEL]: importUid,
    [MANAGED_BY_LABEL]: MANAGED_BY,
    ...(more.disk === undefined ? {} : { [DISK_INDEX_LABEL]: String(more.disk) }),
    ...(more.epoch === undefined ? {} : { [EPOCH_LABEL]: String(more.epoch) }),
  };
}
