import { findSource } from '../../app/cluster/find-source.ts';
import { importsOfSource } from '../../app/cluster/imports-of-source.ts';
import { resourceOfSource } from '../../app/cluster/list-sources.ts';
import type { OpenCluster } from '../../app/cluster/open-cluster.ts';
import type { KubernetesObject } from '../../domain/kubernetes-object.ts';
import { refOf } from '../../domain/kubernetes-object.ts';
import { clusterFlags, openCluster } from '../cluster-flags.ts';
import { confirm } from '../confirm.ts';
import { type CommandCall, defineCommand } from '../define-command.ts';
import { deleteFlags, deleteImports } from '../delete-imports.ts';
import { ExitCode } from '../exit-code.ts';
import { printable } from '../printable.ts';
import { needNames, parseSubject, SUBJECTS } from '../subject.ts';

const flags = { ...deleteFlags, ...clusterFlags } as const;
type Call = CommandCall<typeof flags>;

export const deleteCommand = defineCommand({
  name: 'delete',
  help: 'Delete imports or sources of a cluster, after showing what goes with them and what stays. A machine that was made stays, with its volumes.',
  whenInterrupted: 'what was deleted so far is removed by the controller; `airlift get` shows what is left.',
  positionals: [
    { name: 'what', help: '"import" or "source"; imports unless given', isOptional: true, suggests: SUBJECTS },
    { name: 'name', help: 'Names', isOptional: true, isList: true },
  ],
  flags,
  examples: [
    ['airlift delete web01', 'an import, and what it made unless there is a machine by now'],
    ['airlift delete source files --yes', 'a source; its Secret stays'],
  ],
  async run(call) {
    const { what, names } = needNames('delete', parseSubject(call.positionals));
    await using open = await openCluster(call);
    if (what === 'sources') return await deleteSources(call, open, names);
    const question = `Delete ${names.map(printable).join(', ')}?`;
    return await deleteImports(call, open, { names, question });
  },
});

async function deleteSources(call: Call, open: OpenCluster, names: readonly string[]): Promise<ExitCode> {
  const { io, signal } = call;
  const { cluster, namespace } = open;
  const found: KubernetesObject[] = [];
  for (const name of names) found.push(...(await findSource(cluster, { namespace, name }, { signal })));
  for (const source of found) {
    const users = await importsOfSource(cluster, source, { signal });
    const waiting = users.filter(({ verdict }) => verdict === 'open').map(({ name }) => printable(name));
    const what = `${source.kind} ${io.paint.bold(printable(source.metadata.name))}`;
    io.note(waiting.length === 0 ? what : `${what}, of which these imports still read: ${waiting.join(', ')}`);
  }
  if (!(await confirm(call, `Delete ${found.map(({ metadata }) => printable(metadata.name)).join(', ')}?`))) {
    io.complain('Nothing was deleted.');
    return ExitCode.blocked;
  }
  for (const source of found)
    await cluster.delete(resourceOfSource(source), refOf(source), { signal, uid: source.metadata.uid });
  return ExitCode.ok;
}
