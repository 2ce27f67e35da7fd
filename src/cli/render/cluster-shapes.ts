import type { ImportDescription } from '../../app/cluster/describe-import.ts';
import type { Orphan } from '../../app/cluster/find-orphans.ts';
import type { SourceSummary } from '../../app/cluster/list-sources.ts';
import type { DeletionPreview } from '../../app/cluster/preview-deletion.ts';
import type { ImportSummary } from '../../app/cluster/summarize-import.ts';

// What `--output json` and `yaml` give about a cluster. Scripts stand on these: fields may be added, none renamed or removed.

export function clusterImportsShape(imports: readonly ImportSummary[]): object {
  return { imports };
}

export function sourcesShape(sources: readonly SourceSummary[]): object {
  return { sources };
}

/** The object itself, as stored, beside what was found around it. */
export function descriptionShape({ summary, stored, source, objects, events, unseen }: ImportDescription): object {
  return {
    summary,
    findings: stored.status?.progress?.findings ?? [],
    disks: stored.status?.progress?.disks ?? [],
    conditions: stored.status?.importConditions ?? [],
    source: source ?? null,
    objects,
    events,
    notSeen: unseen.map(({ code, message }) => ({ code, message })),
    object: stored,
  };
}

export function deletionShape(name: string, { goes, stays }: DeletionPreview): object {
  return { name, goes, stays };
}

export function orphanShape({ kind, namespace, name, importUid, createdAt, holdsData }: Orphan): object {
  return { kind: kind.kind, namespace, name, importUid, createdAt, holdsData };
}
