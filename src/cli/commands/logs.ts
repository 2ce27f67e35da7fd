import type { StoredVirtualMachineImport } from '../../api/virtual-machine-import.ts';
import { findImport } from '../../app/cluster/find-import.ts';
import { waitForImports } from '../../app/cluster/follow-imports.ts';
import type { OpenCluster } from '../../app/cluster/open-cluster.ts';
import { followWorkerLogs, type LogLine, readWorkerLogs } from '../../app/cluster/worker-logs.ts';
import { clusterFlags, openCluster } from '../cluster-flags.ts';
import { type CommandCall, defineCommand } from '../define-command.ts';
import { ExitCode } from '../exit-code.ts';
import { printable } from '../printable.ts';
import { UsageError } from '../usage-error.ts';

const flags = {
  disk: { type: 'text', placeholder: 'number', help: 'Only of this disk, from 0' },
  follow: { type: 'switch', short: 'f', help: 'Go on with what is printed from now on, until the import is over' },
  prefix: { type: 'switch', help: 'Write disk and transfer before each line' },
  ...clusterFlags,
} as const;

type Call = CommandCall<typeof flags>;

export const logsCommand = defineCommand({
  name: 'logs',
  help: 'Print what the workers of an import of a cluster have printed: by disk, and of each disk the first transfer first.',
  positionals: [{ name: 'import', help: 'Name of the import' }],
  flags,
  examples: [
    ['airlift logs web01', 'what its workers have printed so far'],
    ['airlift logs web01 -f --prefix', 'all its workers, as they print'],
  ],
  async run(call) {
    const { io, signal, positionals } = call;
    const [name = ''] = positionals;
    const disk = readDisk(call.flags.disk);
    await using open = await openCluster(call);
    const stored = await findImport(open.cluster, { namespace: open.namespace, name }, { signal });
    let count = 0;
    const print = ({ text, disk: of = 0, epoch }: LogLine) => {
      count += 1;
      io.print(`${call.flags.prefix ? `disk ${of}, transfer ${epoch}: ` : ''}${printable(text)}`);
    };
    const onUnstarted = (pod: string) =>
      io.note(`${pod} has not begun; \`airlift describe ${printable(name)}\` shows why`);
    if (call.flags.follow) await follow(call, open, stored, print, { disk, onUnstarted });
    else for await (const line of readWorkerLogs(open, stored, { disk, onUnstarted, signal })) print(line);
    if (count === 0) io.note('no worker has printed anything that is still there');
    return ExitCode.ok;
  },
});

/** Until the import is over, and every worker has said its last. */
async function follow(
  { signal }: Call,
  open: OpenCluster,
  stored: StoredVirtualMachineImport,
  print: (line: LogLine) => void,
  options: { readonly disk: number | undefined; readonly onUnstarted: (pod: string) => void },
): Promise<void> {
  const over = new AbortController();
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const { namespace = '', name } = stored.metadata;
  const waiting = waitForImports(open.cluster, [{ namespace, name }], { signal: either }).then(() => over.abort());
  // Told where it is awaited.
  waiting.catch(() => {});
  try {
    const lines = followWorkerLogs(open, stored, print, { ...options, signal: either, until: over.signal });
    await Promise.all([lines, waiting]);
  } finally {
    stop.abort();
  }
}

/** @throws UsageError */
function readDisk(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,4}$/.test(text)) return Number(text);
  throw new UsageError(`--disk takes the number of a disk, from 0, not "${text}"`);
}
