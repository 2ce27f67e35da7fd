import type { StoredVirtualMachineImport } from '../api/virtual-machine-import.ts';
import type { OpenCluster } from '../app/cluster/open-cluster.ts';
import type { CallOptions } from '../lib/call-options.ts';
import { clusterFlags, openCluster } from './cluster-flags.ts';
import { type CommandDefinition, defineCommand } from './define-command.ts';
import { eachImport } from './each-import.ts';
import { ExitCode } from './exit-code.ts';
import { exitCodeOf, followToEnd } from './follow-imports.ts';
import { noteMissingController } from './note-missing-controller.ts';
import { printable } from './printable.ts';
import { needNames, parseSubject } from './subject.ts';
import { UsageError } from './usage-error.ts';

export interface ChangeCommand extends Pick<CommandDefinition, 'name' | 'help' | 'examples'> {
  /** What is said of each, such as `begins anew`. */
  readonly said: string;
  /** Whether it is worth following afterwards. */
  readonly canFollow: boolean;
  change(
    cluster: OpenCluster['cluster'],
    stored: StoredVirtualMachineImport,
    now: number,
    options: CallOptions,
  ): Promise<unknown>;
}

/** A command that changes a word in the spec of imports, by their names. */
export function changeCommand({ name, help, examples, said, canFollow, change }: ChangeCommand): CommandDefinition {
  return defineCommand({
    name,
    help,
    examples,
    whenInterrupted: 'what was asked for stays asked for; `airlift get` shows how far it is.',
    positionals: [{ name: 'import', help: 'Names of imports', isList: true }],
    flags: {
      ...(canFollow ? watchFlag : {}),
      ...clusterFlags,
    },
    async run(call) {
      const { io, clock, signal, flags } = call;
      const subject = needNames(name, parseSubject(call.positionals));
      if (subject.what === 'sources') throw new UsageError(`${name} is for imports, not for sources`);
      await using open = await openCluster(call);
      const changed: string[] = [];
      const act = async (stored: StoredVirtualMachineImport) => {
        await change(open.cluster, stored, clock.now(), { signal });
        changed.push(stored.metadata.name);
        io.note(`${io.paint.bold(printable(stored.metadata.name))} ${said}`);
      };
      await eachImport(open, subject.names, act, { signal });
      await noteMissingController(call, open);
      if (!('watch' in flags) || flags.watch !== true) return ExitCode.ok;
      const { namespace } = open;
      return exitCodeOf(
        await followToEnd(
          call,
          open,
          changed.map((each) => ({ namespace, name: each })),
        ),
      );
    },
  });
}

const watchFlag = { watch: { type: 'switch', short: 'w', help: 'Follow them until they are over' } } as const;
