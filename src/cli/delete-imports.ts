import type { StoredVirtualMachineImport } from '../api/virtual-machine-import.ts';
import { deleteImport } from '../app/cluster/delete-import.ts';
import type { OpenCluster } from '../app/cluster/open-cluster.ts';
import { type DeletionPreview, previewDeletion } from '../app/cluster/preview-deletion.ts';
import type { ProblemError } from '../domain/problems.ts';
import { confirm, yesFlag } from './confirm.ts';
import type { CommandCall } from './define-command.ts';
import { eachImport } from './each-import.ts';
import { ExitCode } from './exit-code.ts';
import { followToEnd } from './follow-imports.ts';
import { noteMissingController } from './note-missing-controller.ts';
import { noteUnseen } from './note-unseen.ts';
import { renderDeletion } from './render/deletion.ts';

export const deleteFlags = {
  ...yesFlag,
  detach: { type: 'switch', help: 'Do not wait until everything is removed' },
} as const;

interface Deletion {
  readonly names: readonly string[];
  readonly question: string;
  /** @throws ProblemError for one that must not be deleted this way */
  readonly check?: (stored: StoredVirtualMachineImport, preview: DeletionPreview) => void;
}

/** Shows what goes and what stays, asks, deletes, and waits until the controller has removed what each import made. */
export async function deleteImports(
  call: Pick<CommandCall<typeof deleteFlags>, 'flags' | 'io' | 'clock' | 'signal'>,
  open: OpenCluster,
  { names, question, check }: Deletion,
): Promise<ExitCode> {
  const { io, flags, signal } = call;
  const { cluster, namespace } = open;
  const wanted: StoredVirtualMachineImport[] = [];
  const unseen: ProblemError[] = [];
  const look = async (stored: StoredVirtualMachineImport) => {
    const preview = await previewDeletion(cluster, stored, { signal });
    check?.(stored, preview);
    io.note(renderDeletion(stored.metadata.name, preview, io));
    unseen.push(...preview.unseen);
    wanted.push(stored);
  };
  // Nothing is deleted when one of them cannot be: most likely something else was meant.
  await eachImport(open, names, look, { signal });
  noteUnseen(unseen, io);
  if (!(await confirm(call, question))) {
    io.complain('Nothing was deleted.');
    return ExitCode.blocked;
  }
  for (const stored of wanted) await deleteImport(cluster, stored, { signal });
  const isAlone = await noteMissingController(call, open);
  if (flags.detach || isAlone) {
    io.note('asked for; what they made goes as soon as a controller removes it');
    return ExitCode.ok;
  }
  await followToEnd(
    call,
    open,
    wanted.map(({ metadata }) => ({ namespace, name: metadata.name })),
  );
  return ExitCode.ok;
}
