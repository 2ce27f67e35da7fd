import { refuseToCancel } from '../../app/cluster/delete-import.ts';
import { clusterFlags, openCluster } from '../cluster-flags.ts';
import { defineCommand } from '../define-command.ts';
import { deleteFlags, deleteImports } from '../delete-imports.ts';
import { printable } from '../printable.ts';
import { needNames, parseSubject } from '../subject.ts';
import { UsageError } from '../usage-error.ts';

export const cancelCommand = defineCommand({
  name: 'cancel',
  help: 'Stop imports of a cluster for good and remove everything they made. Refuses those that have made a machine.',
  whenInterrupted: 'what was cancelled so far is removed by the controller; `airlift get` shows what is left.',
  positionals: [{ name: 'import', help: 'Names of imports', isList: true }],
  flags: { ...deleteFlags, ...clusterFlags },
  examples: [['airlift cancel web01', 'leaves no volume, Pod or record of it']],
  async run(call) {
    const { what, names } = needNames('cancel', parseSubject(call.positionals));
    if (what === 'sources') throw new UsageError('cancel is for imports, not for sources');
    await using open = await openCluster(call);
    const question = `Cancel ${names.map(printable).join(', ')} and remove what is written?`;
    return await deleteImports(call, open, { names, question, check: refuseToCancel });
  },
});
