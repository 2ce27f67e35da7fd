import type { ImportOutcome } from '../../app/import-parts.ts';
import type { ImportPlan } from '../../app/import-plan.ts';
import type { OpenSource, OpenTarget } from '../../app/platforms.ts';
import { isBlocker } from '../../domain/finding.ts';
import { type CommandCall, defineCommand } from '../define-command.ts';
import { ExitCode } from '../exit-code.ts';
import { renderData } from '../render/data.ts';
import { renderFindings } from '../render/findings.ts';
import { renderOutcome } from '../render/outcome.ts';
import { ProgressView } from '../render/progress.ts';
import { mappingFlags, openSource, outputFlag, readMapping, sourceFlags, UsageError } from '../shared-flags.ts';
import { parseTargetUrl } from '../target-url.ts';

const flags = {
  to: {
    type: 'text',
    placeholder: 'target',
    isRequired: true,
    help: 'Where to: dir:<folder>[?format=qcow2|raw][&compression=zstd]',
  },
  all: { type: 'switch', help: 'Import every machine of the source' },
  verify: {
    type: 'choice',
    of: ['readback', 'none'],
    default: 'readback',
    help: 'Read every byte back from the target and compare, or do not',
  },
  restart: { type: 'switch', help: 'Discard what an interrupted import left and begin again' },
  yes: { type: 'switch', short: 'y', help: 'Do not ask when there are warnings' },
  ...mappingFlags,
  ...outputFlag,
  ...sourceFlags,
} as const;

type Call = CommandCall<typeof flags>;

export const importCommand = defineCommand({
  name: 'import',
  help: 'Import machines: copy, verify and describe them. Run the same command again after an interruption and it continues.',
  positionals: [
    { name: 'source', help: 'An .ova, an .ovf, a folder with one, a disk image, or an http(s) address of an .ova' },
    {
      name: 'machine',
      help: 'Names or ids of machines; needed when there are several',
      isOptional: true,
      isList: true,
    },
  ],
  flags,
  examples: [
    ['airlift import app.ova --to dir:./out', 'the machine of an appliance, as qcow2 with a KubeVirt manifest'],
    [
      'airlift import https://files.example/app.ova --to "dir:./out?format=raw" --yes',
      'straight from a server, as raw disks, without questions',
    ],
    ['airlift import pack.ova web db --to dir:./out', 'two machines of a collection'],
  ],
  async run(call) {
    const { positionals, services, io } = call;
    const [location = '', ...named] = positionals;
    await using target = await services.openTarget(parseTargetUrl(call.flags.to));
    await using source = await openSource(call, location);
    const machines = call.flags.all ? await listMachines(source, call) : named.length === 0 ? [undefined] : named;
    if (machines.length > 1 && call.flags.name !== undefined)
      throw new UsageError('--name names one machine; there are several to import');

    const outcomes: ImportOutcome[] = [];
    for (const machine of machines) {
      const plan = await services.planImport(source, target, { machine, ...readMapping(call), signal: call.signal });
      const refusal = await refusalOf(plan, call);
      if (refusal !== undefined) return refusal;
      outcomes.push(await importOne(source, target, plan, call));
    }
    const results = outcomes.map(({ location: place, report }) => ({ location: place, report }));
    io.print(
      renderData(results, call.flags.output, () => outcomes.map((outcome) => renderOutcome(outcome, io)).join('\n')),
    );
    return ExitCode.ok;
  },
});

/** Blockers stop; warnings are shown, and asked about where somebody is there to answer. */
async function refusalOf(plan: ImportPlan, { io, flags: given }: Call): Promise<ExitCode | undefined> {
  const serious = plan.findings.filter(({ severity }) => severity !== 'note');
  if (serious.length > 0) io.complain(renderFindings(serious, io));
  if (plan.findings.some(isBlocker)) return ExitCode.blocked;
  if (serious.length === 0 || given.yes || io.ask === undefined) return undefined;
  const answer = await io.ask(`Import ${plan.targetName} all the same? [y/N] `);
  if (/^y(es)?$/i.test(answer.trim())) return undefined;
  io.complain('Nothing was done.');
  return ExitCode.blocked;
}

async function importOne(source: OpenSource, target: OpenTarget, plan: ImportPlan, call: Call): Promise<ImportOutcome> {
  const { services, io, clock, signal } = call;
  const view = new ProgressView(io, clock);
  try {
    return await services.importMachine(source, target, plan, {
      verify: call.flags.verify,
      restart: call.flags.restart,
      signal,
      onProgress: (progress) => view.update(progress),
      onRemark: (remark) => view.remark(remark),
    });
  } finally {
    view.end();
  }
}

async function listMachines(source: OpenSource, { signal }: Call): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of source.listMachines({ signal })) ids.push(id);
  return ids;
}
