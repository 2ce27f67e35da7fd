import type { Disk, Machine } from '../domain/machine.ts';
import { ProblemError } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { ExpectedDigest } from '../ports/image-file.ts';
import type { Source } from '../ports/source.ts';
import type { DiskResult, StoredDigestResult } from '../ports/transfer.ts';
import type { TransferredDisk } from './import-parts.ts';
import type { ImportPlan } from './import-plan.ts';

/**
 * Compares the disks with a manifest that came after them. Asked once, when the last disk has passed: asking runs to the end of the source.
 * @throws ProblemError `DigestMismatch` and what the source finds wrong with its manifest
 */
export async function checkLateDigests(
  source: Source,
  plan: ImportPlan,
  disks: readonly TransferredDisk[],
  options: CallOptions,
): Promise<TransferredDisk[]> {
  const checked: TransferredDisk[] = [];
  for (const each of disks) {
    const result = await checkLateDigestsOf(source, plan.machine, each.planned.disk, each.result, options);
    checked.push({ ...each, result });
  }
  return checked;
}

/** The same for one disk, where it is the last one or the only one. */
export async function checkLateDigestsOf(
  source: Source,
  machine: Machine,
  disk: Disk,
  result: DiskResult,
  options: CallOptions,
): Promise<DiskResult> {
  const isOpen = result.storedDigests.some(({ expected }) => expected === undefined);
  const late = isOpen ? await source.lateDigests?.(machine, disk, options) : undefined;
  return late === undefined ? result : { ...result, storedDigests: compare(result.storedDigests, late) };
}

function compare(computed: readonly StoredDigestResult[], late: readonly ExpectedDigest[]): StoredDigestResult[] {
  // A file that no manifest mentions keeps one digest, for the record.
  if (late.length === 0) return computed.filter(({ algorithm }) => algorithm === 'sha256');
  return late.map(({ name, algorithm, hex }) => {
    const actual = computed.find((each) => each.algorithm === algorithm)?.actual ?? '';
    if (actual === hex) return { name, algorithm, expected: hex, actual };
    throw new ProblemError('DigestMismatch', `${name} has ${algorithm} ${actual}; the manifest says ${hex}`, {
      context: { file: name },
    });
  });
}
