import { type Event, eventKind } from '../../api/core-kinds.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Cluster } from '../../ports/cluster.ts';
import { allOf } from './all-of.ts';

export interface EventSummary {
  /** RFC 3339, of the last time. */
  readonly at: string;
  readonly isWarning: boolean;
  readonly reason: string;
  readonly message: string;
  /** How often. */
  readonly count: number;
  /** Such as `Pod web01-abcde`. */
  readonly about: string;
}

/** The last events about any of these objects, the oldest first. */
export async function listEvents(
  cluster: Cluster,
  namespace: string | undefined,
  uids: readonly string[],
  { most, ...options }: CallOptions & { readonly most: number },
): Promise<EventSummary[]> {
  const about = uids.map(async (uid) => {
    const fields = { 'involvedObject.uid': uid };
    return await allOf(cluster.list(eventKind, { ...options, namespace, fields }));
  });
  const events = (await Promise.all(about)).flat().map(summarize);
  return events.toSorted((one, other) => Date.parse(one.at) - Date.parse(other.at)).slice(-most);
}

function summarize({ metadata, involvedObject, type, reason, message, count, ...times }: Event): EventSummary {
  return {
    at: times.lastTimestamp ?? times.eventTime ?? times.firstTimestamp ?? metadata.creationTimestamp ?? '',
    isWarning: type === 'Warning',
    reason: reason ?? '',
    message: message ?? '',
    count: count ?? 1,
    about: `${involvedObject?.kind ?? ''} ${involvedObject?.name ?? ''}`,
  };
}
