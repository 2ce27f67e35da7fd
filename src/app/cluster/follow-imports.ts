import {
  readVirtualMachineImport,
  type VirtualMachineImport,
  virtualMachineImportKind,
} from '../../api/virtual-machine-import.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Cluster } from '../../ports/cluster.ts';
import type { ClusterScope } from './open-cluster.ts';
import { type ImportSummary, summarize } from './summarize-import.ts';

export type ImportChange =
  | { readonly type: 'set'; readonly summary: ImportSummary; readonly machineImport: VirtualMachineImport }
  | { readonly type: 'gone'; readonly namespace: string; readonly name: string }
  /** All that were there at the beginning have been told. */
  | { readonly type: 'synced' };

export interface FollowOptions extends CallOptions {
  /** Only the one of this name. */
  readonly name?: string | undefined;
  readonly onRetry?: ((problem: Error, afterMs: number) => void) | undefined;
}

/** The imports there are, and then every change of one, for ever; ends when aborted, or with what no retry can cure. */
export async function* followImports(
  cluster: Cluster,
  { namespace }: ClusterScope,
  { name, ...options }: FollowOptions = {},
): AsyncGenerator<ImportChange, void> {
  const fields = name === undefined ? undefined : { 'metadata.name': name };
  for await (const event of cluster.watch(virtualMachineImportKind, { ...options, namespace, fields })) {
    if (event.type === 'synced') yield event;
    else if (event.type === 'set') {
      const { object: machineImport } = readVirtualMachineImport(event.object);
      yield { type: 'set', summary: summarize(machineImport), machineImport };
    } else yield { type: 'gone', namespace: event.object.metadata.namespace ?? '', name: event.object.metadata.name };
  }
}

export interface WaitOptions extends CallOptions {
  readonly onChange?: ((change: ImportChange) => void) | undefined;
  readonly onRetry?: FollowOptions['onRetry'];
}

/** How an import ended; `gone` when it was deleted meanwhile. */
export type ImportEnd = 'done' | 'failed' | 'blocked' | 'gone';

/** Follows these imports until all are over; by name, in the order given. Of others nothing is told. */
export async function waitForImports(
  cluster: Cluster,
  refs: readonly { readonly namespace: string; readonly name: string }[],
  { signal, onChange, onRetry }: WaitOptions = {},
): Promise<ImportEnd[]> {
  const ends = new Map<string, ImportEnd>();
  const stop = new AbortController();
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  // One watch a namespace: who may look into these need not be allowed to look into all.
  const byNamespace = Map.groupBy(refs, ({ namespace }) => namespace);
  const watches = [...byNamespace].map(async ([namespace, wanted]) => {
    const open = new Set(wanted.map(({ name }) => name));
    const seen = new Set<string>();
    const end = (name: string, how: ImportEnd) => {
      open.delete(name);
      ends.set(keyOf({ namespace, name }), how);
    };
    const only = wanted.length === 1 ? wanted[0]?.name : undefined;
    for await (const change of followImports(cluster, { namespace }, { signal: either, name: only, onRetry })) {
      if (change.type === 'synced') {
        for (const name of open) if (!seen.has(name)) end(name, 'gone');
      } else {
        const name = change.type === 'set' ? change.summary.name : change.name;
        if (!open.has(name)) continue;
        seen.add(name);
        onChange?.(change);
        if (change.type === 'gone') end(name, 'gone');
        else if (change.summary.verdict !== 'open') end(name, change.summary.verdict);
      }
      if (open.size === 0) return;
    }
    signal?.throwIfAborted();
  });
  try {
    await Promise.all(watches);
  } finally {
    stop.abort();
    await Promise.allSettled(watches);
  }
  return refs.map((ref) => ends.get(keyOf(ref)) ?? 'gone');
}

function keyOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}
