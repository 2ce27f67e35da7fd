import type { ImportOutcome } from '../../app/import-parts.ts';
import type { ImportPlan } from '../../app/import-plan.ts';
import type { OpenSource, OpenTarget } from '../../app/platforms.ts';
import { isBlocker } from '../../domain/finding.ts';
import { type CommandCall, defineCommand } from '../define-command.ts';
import { ExitCode } from '../exit-code.ts';
import { waitForAnswer } from '../io.ts';
import { findUnusedNetworks, mappingFlags, readMapping } from '../mapping-flags.ts';
import { printable } from '../printable.ts';
import { renderData } from '../render/data.ts';
import { renderFindings } from '../render/findings.ts';
import { renderOutcomes } from '../render/outcome.ts';
import { ProgressView } from '../render/progress.ts';
import { type FinishedImport, importsShape } from '../render/shapes.ts';
import { openSource, outputFlag, sourceFlags, sourcePositional } from '../shared-flags.ts';
import { parseTargetUrl, type TargetUrl } from '../target-url.ts';
import { UsageError } from '../usage-error.ts';
import { findFinishedImport } from './finished-import.ts';

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

/**
 * A second of measuring, so that the report can compare what was predicted with what it took; only for imports that take so long that it does not count. Of several machines
 * none: they share what was measured.
 */
const MEASURE = { maxMs: 1_000, minDataBytes: 16 * 1024 ** 3 } as const;

type Call = CommandCall<typeof flags>;

export const importCommand = defineCommand({
  name: 'import',
  help: 'Import machines: copy, verify and describe them. Run the same command again after an interruption and it continues.',
  positionals: [
    sourcePositional,
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
  isResumable: true,
  async run(call) {
    const { positionals, services, io } = call;
    const [location = '', ...named] = positionals;
    const mapping = readMapping(call);
    const targetUrl = parseTargetUrl(call.flags.to);
    if (call.flags.all && named.length > 0) throw new UsageError('--all takes every machine; name none beside it');
    await using target = await services.openTarget(targetUrl);
    await using source = await openSource(call, location);

    const machines = call.flags.all ? await listMachines(source, call) : named.length === 0 ? [undefined] : named;
    if (machines.length > 1 && call.flags.name !== undefined)
      throw new UsageError('--name names one machine; there are several to import');
    const measure = machines.length === 1 ? MEASURE : undefined;
    // All plans first: what is in the way of the last machine is told before the first one is copied.
    const plans: ImportPlan[] = [];
    for (const machine of machines)
      plans.push(await services.planImport(source, target, { machine, ...mapping, measure, signal: call.signal }));
    refuseSameNames(plans);
    for (const network of findUnusedNetworks(call.flags.network, plans))
      io.note(`note: no card is on the network "${printable(network)}" that --network names`);

    const finished = machines.length > 1 ? await findFinished(plans, targetUrl, call) : new Map();
    const open = plans.filter((plan) => !finished.has(plan));
    const refusal = await refusalOf(open, call);
    return refusal ?? (await importAll({ source, target, plans: open, finishedBefore: [...finished.values()], call }));
  },
});

async function listMachines(source: OpenSource, { signal }: Call): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of source.listMachines({ signal })) ids.push(id);
  return ids;
}

function refuseSameNames(plans: readonly ImportPlan[]): void {
  for (const [name, group] of Map.groupBy(plans, ({ targetName }) => targetName)) {
    if (group.length === 1) continue;
    const machines = group.map(({ machine }) => `"${printable(machine.name)}" (id ${printable(machine.id)})`);
    throw new UsageError(`${machines.join(' and ')} would both become "${name}"; import one at a time with --name`);
  }
}

async function findFinished(plans: readonly ImportPlan[], target: TargetUrl, { services, io }: Call) {
  const finished = new Map<ImportPlan, FinishedImport>();
  for (const plan of plans) {
    const found = await findFinishedImport(plan, target, services);
    if (found === undefined) continue;
    finished.set(plan, found);
    io.note(`${printable(found.machine)} was finished by an earlier run, in ${printable(found.location)}`);
  }
  return finished;
}

/** Blockers stop; warnings are shown, and asked about where somebody is there to answer. */
async function refusalOf(plans: readonly ImportPlan[], { io, flags: given, signal }: Call) {
  const told = plans.map((plan) => ({ plan, serious: plan.findings.filter(({ severity }) => severity !== 'note') }));
  const serious = told.flatMap((each) => each.serious);
  if (serious.length === 0) return undefined;
  const isBlocked = serious.some(isBlocker);
  const mayAsk = !given.yes && io.ask !== undefined;
  const text = told
    .filter((each) => each.serious.length > 0)
    .flatMap(({ plan, serious: own }) => [
      ...(plans.length > 1 ? [io.paint.bold(printable(plan.machine.name))] : []),
      renderFindings(own, io),
    ])
    .join('\n');
  if (isBlocked || mayAsk) io.complain(text);
  else io.note(text);
  if (isBlocked) {
    io.complain('Nothing was imported.');
    return ExitCode.blocked;
  }
  if (given.yes || io.ask === undefined) return undefined;
  const names = plans.map(({ targetName }) => targetName).join(', ');
  const answer = await waitForAnswer(io.ask(`Import ${names} all the same? [y/N] `, { signal }));
  if (/^y(es)?$/i.test(answer.trim())) return undefined;
  io.complain('Nothing was imported.');
  return ExitCode.blocked;
}

interface Work {
  readonly source: OpenSource;
  readonly target: OpenTarget;
  readonly plans: readonly ImportPlan[];
  readonly finishedBefore: readonly FinishedImport[];
  readonly call: Call;
}

/** One after the other. What was finished is printed also when a later one fails. */
async function importAll({ source, target, plans, finishedBefore, call }: Work): Promise<ExitCode> {
  const { io } = call;
  const outcomes: ImportOutcome[] = [];
  try {
    for (const [index, plan] of plans.entries()) {
      if (plans.length > 1) io.note(`${printable(plan.machine.name)} (${index + 1} of ${plans.length})`);
      outcomes.push(await importOne(source, target, plan, call));
    }
  } finally {
    if (outcomes.length > 0 || finishedBefore.length > 0) {
      const text = () => renderOutcomes(outcomes, io);
      io.print(renderData(importsShape(outcomes, finishedBefore), call.flags.output, text));
    }
  }
  return ExitCode.ok;
}

async function importOne(source: OpenSource, target: OpenTarget, plan: ImportPlan, call: Call): Promise<ImportOutcome> {
  const { services, io, clock, signal } = call;
  const view = new ProgressView(io, clock);
  const announce = () => view.remark('stopping cleanly; press Ctrl-C again to stop at once');
  signal.addEventListener('abort', announce, { once: true });
  try {
    return await services.importMachine(source, target, plan, {
      verify: call.flags.verify,
      restart: call.flags.restart,
      signal,
      onProgress: (progress) => view.update(progress),
      onRemark: (remark) => view.remark(remark),
    });
  } finally {
    signal.removeEventListener('abort', announce);
    view.end();
  }
}
