import { leaseKind } from '../../api/core-kinds.ts';
import { CONTROLLER_LEASE } from '../../api/literals.ts';
import type { Finding } from '../../domain/finding.ts';
import { isProblem } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import { formatDuration } from '../../lib/format-units.ts';
import type { Cluster } from '../../ports/cluster.ts';

/** A lease is renewed every few seconds. What is more than this behind our clock is no difference between clocks that is worth a thought. */
const SILENT_MS = 120_000;

/**
 * Whether anybody acts on imports: a finding where nobody does, undefined where somebody does or this user may not look. Only a hint: it compares the time of the lease with ours.
 * @param now milliseconds since the epoch
 */
export async function lookForController(
  cluster: Cluster,
  now: number,
  options: CallOptions = {},
): Promise<Finding | undefined> {
  const missing = (message: string): Finding => ({ severity: 'warning', code: 'ControllerMissing', message });
  let last: { readonly namespace: string | undefined; readonly renewedAt: number } | undefined;
  try {
    const fields = { 'metadata.name': CONTROLLER_LEASE };
    for await (const { metadata, spec } of cluster.list(leaseKind, { ...options, fields })) {
      const renewedAt = Date.parse(spec?.renewTime ?? '');
      // A lease that was given back on purpose has no holder.
      if (spec?.holderIdentity === undefined || spec.holderIdentity === '' || Number.isNaN(renewedAt)) continue;
      if (last === undefined || renewedAt > last.renewedAt) last = { namespace: metadata.namespace, renewedAt };
    }
  } catch (error) {
    if (isProblem(error, 'ClusterForbidden')) return undefined;
    throw error;
  }
  if (last === undefined) return missing('nobody acts on imports: no controller holds its lease');
  const silentMs = now - last.renewedAt;
  if (silentMs <= SILENT_MS) return undefined;
  return missing(
    `nobody acts on imports: the lease ${last.namespace}/${CONTROLLER_LEASE} was last renewed ${formatDuration(silentMs)} ago`,
  );
}
