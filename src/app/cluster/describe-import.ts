import {
  readVirtualMachineImport,
  type StoredVirtualMachineImport,
  type VirtualMachineImport,
} from '../../api/virtual-machine-import.ts';
import type { ObjectRef } from '../../domain/kubernetes-object.ts';
import { isProblem, type ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Cluster } from '../../ports/cluster.ts';
import { findImport } from './find-import.ts';
import { type EventSummary, listEvents } from './list-events.ts';
import { type SourceSummary, sourceKinds, summarizeSource } from './list-sources.ts';
import { findRelatedObjects, type RelatedObject } from './related-objects.ts';
import { type ImportSummary, summarizeImport } from './summarize-import.ts';

/** All that there is to know about an import. */
export interface ImportDescription {
  readonly summary: ImportSummary;
  /** As stored. */
  readonly stored: StoredVirtualMachineImport;
  readonly machineImport: VirtualMachineImport;
  /** Undefined when it is not there, or the import names no kind that there is. */
  readonly source: SourceSummary | undefined;
  readonly objects: readonly RelatedObject[];
  /** The last ones, about the import and what it made; the oldest first. */
  readonly events: readonly EventSummary[];
  /** What could not be looked at. */
  readonly unseen: readonly ProblemError[];
}

const MOST_EVENTS = 10;
/** Each costs a request. */
const MOST_ASKED_ABOUT = 20;

/** @throws ProblemError `ClusterObjectMissing` */
export async function describeImport(
  cluster: Cluster,
  ref: ObjectRef,
  options: CallOptions = {},
): Promise<ImportDescription> {
  const stored = await findImport(cluster, ref, options);
  const { object: machineImport } = readVirtualMachineImport(stored);
  const unseen: ProblemError[] = [];
  const look = async <T>(act: Promise<T>, otherwise: T): Promise<T> => {
    try {
      return await act;
    } catch (error) {
      if (!isProblem(error)) throw error;
      unseen.push(error);
      return otherwise;
    }
  };
  const related = await findRelatedObjects(cluster, machineImport, options);
  const uids = [stored, ...related.objects.map((each) => ({ metadata: each }))].flatMap(
    ({ metadata }) => metadata.uid ?? [],
  );
  const [source, events] = await Promise.all([
    look(findSource(cluster, machineImport, options), undefined),
    look(
      listEvents(cluster, ref.namespace, uids.slice(0, MOST_ASKED_ABOUT), { ...options, most: MOST_EVENTS }),
      [] as EventSummary[],
    ),
  ]);
  return {
    summary: summarizeImport(stored),
    stored,
    machineImport,
    source,
    objects: related.objects,
    events,
    unseen: [...related.unseen, ...unseen],
  };
}

async function findSource(
  cluster: Cluster,
  { spec }: VirtualMachineImport,
  options: CallOptions,
): Promise<SourceSummary | undefined> {
  const { kind, namespace, name } = spec.sourceCluster ?? {};
  const resource = sourceKinds.find((each) => each.resource.kind.toLowerCase() === kind?.toLowerCase())?.resource;
  if (resource === undefined || name === undefined) return undefined;
  const found = await cluster.get(resource, { namespace, name }, options);
  return found && summarizeSource(found);
}
