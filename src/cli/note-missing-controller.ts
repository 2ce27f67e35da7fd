import { lookForController } from '../app/cluster/look-for-controller.ts';
import type { OpenCluster } from '../app/cluster/open-cluster.ts';
import type { CommandCall } from './define-command.ts';
import { renderFindings } from './render/findings.ts';

/** Tells where nobody acts on imports: otherwise people wait for what never comes. Whether it told. */
export async function noteMissingController(
  { io, clock, signal }: Pick<CommandCall, 'io' | 'clock' | 'signal'>,
  { cluster }: Pick<OpenCluster, 'cluster'>,
): Promise<boolean> {
  const finding = await lookForController(cluster, clock.now(), { signal });
  if (finding !== undefined) io.note(renderFindings([finding], io));
  return finding !== undefined;
}
