import { findOrphans, type Orphan } from '../../app/cluster/find-orphans.ts';
import type { OpenCluster } from '../../app/cluster/open-cluster.ts';
import { removeOrphans } from '../../app/cluster/remove-orphans.ts';
import { allNamespacesFlag, clusterFlags, openCluster, scopeOf } from '../cluster-flags.ts';
import { confirm, yesFlag } from '../confirm.ts';
import { type CommandCall, defineCommand } from '../define-command.ts';
import { ExitCode } from '../exit-code.ts';
import { noteUnseen } from '../note-unseen.ts';
import { printable } from '../printable.ts';
import { orphanShape } from '../render/cluster-shapes.ts';
import { renderData } from '../render/data.ts';
import { renderOrphans } from '../render/orphans.ts';
import { renderProblem } from '../render/problem.ts';
import { outputFlag } from '../shared-flags.ts';
import { UsageError } from '../usage-error.ts';

const ACTIONS = ['list', 'clean'] as const;

const flags = {
  volumes: { type: 'switch', help: 'clean: remove volumes and images too, with all that is on them' },
  ...yesFlag,
  ...clusterFlags,
  ...allNamespacesFlag,
  ...outputFlag,
} as const;

type Call = CommandCall<typeof flags>;

export const orphansCommand = defineCommand({
  name: 'orphans',
  help: 'List or remove what imports left behind in a cluster that are no more. What a machine or a Pod uses is none of it.',
  whenInterrupted: 'what was removed so far is gone; `airlift orphans list` shows what is left.',
  positionals: [{ name: 'action', help: 'list or clean', of: ACTIONS }],
  flags,
  examples: [
    ['airlift orphans list -A', 'in all namespaces'],
    ['airlift orphans clean --volumes', 'remove them, after a question; volumes too'],
  ],
  async run(call) {
    const { io, clock, signal, positionals } = call;
    const [action = ''] = positionals;
    if (action !== 'list' && action !== 'clean')
      throw new UsageError(`orphans does not know "${action}"; there are ${ACTIONS.join(' and ')}`);
    await using open = await openCluster(call);
    const { orphans, unseen } = await findOrphans(open.cluster, scopeOf(call.flags, open), { signal });
    const text = () => (orphans.length === 0 ? '' : renderOrphans(orphans, io, clock.now()));
    if (action === 'list') io.print(renderData({ orphans: orphans.map(orphanShape) }, call.flags.output, text));
    if (orphans.length === 0) io.note('nothing was left behind');
    const exitCode = action === 'clean' ? await clean(call, open, orphans) : ExitCode.ok;
    const seen = noteUnseen(unseen, io);
    return exitCode === ExitCode.ok ? seen : exitCode;
  },
});

async function clean(call: Call, { cluster }: OpenCluster, orphans: readonly Orphan[]): Promise<ExitCode> {
  const { io, clock, signal } = call;
  const wanted = orphans.filter(({ holdsData }) => call.flags.volumes || !holdsData);
  const kept = orphans.length - wanted.length;
  if (kept > 0) io.note(`${kept} volumes or images hold data and stay; --volumes removes them too`);
  const removed: Orphan[] = [];
  let exitCode: ExitCode = ExitCode.ok;
  if (wanted.length > 0) {
    io.note(renderOrphans(wanted, io, clock.now()));
    if (!(await confirm(call, `Remove these ${wanted.length}?`))) {
      io.complain('Nothing was removed.');
      return ExitCode.blocked;
    }
    for await (const each of removeOrphans(cluster, wanted, { signal })) {
      const name = `${each.orphan.kind.kind} ${printable(each.orphan.name)}`;
      if (each.result === 'failed') {
        io.complain(renderProblem(each.problem, io));
        exitCode = ExitCode.problem;
      } else if (each.result === 'removed') removed.push(each.orphan);
      else io.note(`${name} is another one by now, and stays`);
    }
  }
  const text = () => (wanted.length === 0 ? '' : `${removed.length} of ${wanted.length} removed`);
  io.print(renderData({ removed: removed.map(orphanShape) }, call.flags.output, text));
  return exitCode;
}
