import { displayProgress } from '../app/cluster/display-progress.ts';
import { type ImportChange, type ImportEnd, waitForImports } from '../app/cluster/follow-imports.ts';
import type { OpenCluster } from '../app/cluster/open-cluster.ts';
import type { CommandCall } from './define-command.ts';
import { ExitCode } from './exit-code.ts';
import { ImportsView } from './render/imports-view.ts';
import { ProgressView } from './render/progress.ts';

export interface ImportName {
  readonly namespace: string;
  readonly name: string;
}

type FollowCall = Pick<CommandCall, 'io' | 'clock' | 'signal'>;

/** Shows how imports go on until all are over; ends by place. */
export async function followToEnd(
  { io, clock, signal }: FollowCall,
  { cluster }: Pick<OpenCluster, 'cluster'>,
  refs: readonly ImportName[],
): Promise<ImportEnd[]> {
  const view = new ImportsView(new ProgressView(io, clock), refs.length);
  const said = new Map<string, string>();
  const onChange = (change: ImportChange) => {
    if (change.type === 'synced') return;
    const [label, words] = change.type === 'gone' ? [change.name, 'deleted'] : [change.summary.name, wordsOf(change)];
    const progress = change.type === 'gone' ? undefined : displayProgress(readProgress(change));
    if (progress !== undefined) view.update(label, progress);
    if (said.get(label) !== words) view.remark(words, label);
    said.set(label, words);
  };
  const onRetry = ({ message }: Error, afterMs: number) =>
    view.remark(`${message}; looking again in ${Math.ceil(afterMs / 1000)} s`);
  try {
    return await waitForImports(cluster, refs, { signal, onChange, onRetry });
  } finally {
    view.end();
  }
}

type Change = Extract<ImportChange, { readonly type: 'set' }>;

/** Changes with what a person wants to know, and not with every byte. */
function wordsOf({ summary: { phase, reason, message, nextStep } }: Change): string {
  if (nextStep === undefined) return phase;
  return `${phase}, ${reason}: ${message ?? ''} -> ${nextStep}`;
}

function readProgress({ machineImport }: Change) {
  return machineImport.status.progress;
}

/** The worst of them decides. */
export function exitCodeOf(ends: readonly ImportEnd[]): ExitCode {
  if (ends.some((end) => end === 'failed' || end === 'gone')) return ExitCode.problem;
  return ends.includes('blocked') ? ExitCode.blocked : ExitCode.ok;
}
