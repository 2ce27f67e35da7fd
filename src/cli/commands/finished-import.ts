import { join } from 'node:path';
import type { ImportPlan } from '../../app/import-plan.ts';
import { importReportSchema } from '../../app/import-report.ts';
import { isBlocker } from '../../domain/finding.ts';
import { isProblem } from '../../domain/problems.ts';
import type { FinishedImport } from '../render/shapes.ts';
import type { Services } from '../services.ts';
import type { LocalTargetUrl } from '../target-url.ts';

/**
 * Tells whether nothing but an earlier run's own result stands in the way: one whose report names the same machine of the same source. Without this, the command
 * that imports several machines could not be run again after an interruption, since the machines it had finished would block it.
 */
export async function findFinishedImport(
  plan: ImportPlan,
  { dir, device }: LocalTargetUrl,
  services: Pick<Services, 'readTextFile'>,
): Promise<FinishedImport | undefined> {
  const blockers = plan.findings.filter(isBlocker);
  if (blockers.length === 0 || blockers.some(({ code }) => code !== 'TargetExists')) return undefined;
  const location = device === undefined ? join(dir.folder, plan.targetName) : device.stateFolder;
  const report = await readReport(join(location, 'report.json'), services);
  const isSame = report?.source === plan.source && report.machine.id === plan.machine.id;
  return isSame ? { machine: plan.machine.name, location } : undefined;
}

async function readReport(path: string, services: Pick<Services, 'readTextFile'>) {
  try {
    const text = await services.readTextFile(path);
    return importReportSchema.safeParse(JSON.parse(text)).data;
  } catch (error) {
    // What has no readable report was not made by an import, and stays a blocker.
    if (isProblem(error) || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
