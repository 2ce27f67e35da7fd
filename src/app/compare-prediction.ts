import { formatDuration } from '../lib/format-units.ts';
import type { Side } from './estimate-transfer.ts';
import type { ImportReport } from './import-report.ts';

/** Who is meant, for people. */
export const SIDE_NAMES: Readonly<Record<Side, string>> = {
  read: 'the source',
  decode: 'unpacking',
  write: 'the target',
};

/** One line about what was predicted and what it took; undefined where nothing was predicted. */
export function comparePrediction({
  estimate,
  verify,
  startedAt,
  finishedAt,
  disks,
}: ImportReport): string | undefined {
  if (estimate === undefined) return undefined;
  const predicted = formatDuration(verify === 'none' ? estimate.copyMs : estimate.ms);
  const took = formatDuration(Date.parse(finishedAt) - Date.parse(startedAt));
  const limit = `limited by ${SIDE_NAMES[estimate.limitedBy]}`;
  // A run that only did the rest has nothing to compare.
  if (disks.some(({ resumes }) => resumes > 0)) return `predicted ${predicted} without interruption, ${limit}`;
  return `predicted ${predicted}, ${limit}; took ${took}`;
}
