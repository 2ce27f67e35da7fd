import type { ImportOutcome } from '../../app/import-parts.ts';
import type { ImportPlan } from '../../app/import-plan.ts';
import type { OpenSource, OpenTarget } from '../../app/platforms.ts';
import { isProblem } from '../../domain/problems.ts';
import { FairSlots } from '../../lib/fair-slots.ts';
import { RateLimiter } from '../../lib/rate-limiter.ts';
import { type CommandCall, defineCommand } from '../define-command.ts';
import { ExitCode } from '../exit-code.ts';
import { clusterImportFlags, importToCluster, refuseClusterFlags } from '../import-to-cluster.ts';
import { MachineFailures } from '../machine-failures.ts';
import { findUnusedNetworks, mappingFlags, readMapping } from '../mapping-flags.ts';
import { printable } from '../printable.ts';
import { parseRate } from '../rate.ts';
import { refusalOf } from '../refuse-findings.ts';
import { renderData } from '../render/data.ts';
import { ImportsView } from '../render/imports-view.ts';
import { renderOutcomes } from '../render/outcome.ts';
import { ProgressView } from '../render/progress.ts';
import { type FinishedImport, importsShape } from '../render/shapes.ts';
import { openSource, outputFlag, sourceFlags, sourcePositional } from '../shared-flags.ts';
import { type LocalTargetUrl, parseTargetUrl } from '../target-url.ts';
import { UsageError } from '../usage-error.ts';
import { findFinishedImport } from './finished-import.ts';

const flags = {
  to: {
    type: 'text',
    placeholder: 'target',
    isRequired: true,
    help: 'Where to: dir:<folder>[?format=qcow2|raw][&compression=zstd], device:<path>[,<path>]?state=<folder>, or a cluster with Airlift: kubevirt:[[<context>/]<namespace>[/<name>]]',
  },
  all: { type: 'switch', help: 'Import every machine of the source' },
  verify: {
    type: 'choice',
    of: ['readback', 'none'],
    default: 'readback',
    help: 'Read every byte back from the target and compare, or do not',
  },
  'max-rate': {
    type: 'text',
    placeholder: 'rate',
    help: 'Read the source at most this fast, such as 150MB or 20MiB per second',
  },
  lanes: {
    type: 'text',
    placeholder: 'count',
    help: 'Most threads that unpack, hash and write, 1 to 64; as many as pay unless given',
  },
  connections: {
    type: 'text',
    placeholder: 'count',
    help: 'Most connections to the server of the source, 1 to 16; as many as pay unless given',
  },
  restart: { type: 'switch', help: 'Discard what an interrupted import left and begin again' },
  yes: { type: 'switch', short: 'y', help: 'Do not ask when there are warnings' },
  ...clusterImportFlags,
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
    ['airlift import app.ova --to kubevirt:vms', 'into a namespace of the cluster of the current context'],
  ],
  isResumable: true,
  async run(call) {
    const { positionals, services, io } = call;
    const [location = '', ...named] = positionals;
    const mapping = readMapping(call);
    const targetUrl = parseTargetUrl(call.flags.to);
    if (targetUrl.cluster !== undefined) return await importToCluster(call, targetUrl.cluster);
    refuseClusterFlags(call.flags);
    const rateLimiter = readRateLimit(call);
    const lanes = readCount('lanes', call.flags.lanes, 64);
    const connections = readCount('connections', call.flags.connections, 16);
    await using _prepared = services.prepareTransfers({ lanes, connections });
    if (call.flags.all && named.length > 0) throw new UsageError('--all takes every machine; name none beside it');
    await using target = await services.openTarget(targetUrl);
    await using source = await openSource(call, location);

    const machines = call.flags.all ? await listMachines(source, call) : named.length === 0 ? [undefined] : named;
    if (machines.length > 1 && call.flags.name !== undefined)
      throw new UsageError('--name names one machine; there are several to import');
    const measure = machines.length === 1 && rateLimiter === undefined ? MEASURE : undefined;
    // All plans first: what is in the way of the last machine is told before the first one is copied.
    const plans: ImportPlan[] = [];
    for (const machine of machines) {
      const promisedBytes = plans.reduce((sum, plan) => sum + (plan.dataBytes ?? plan.virtualSizeBytes), 0);
      const options = { machine, ...mapping, measure, promisedBytes, signal: call.signal };
      plans.push(await services.planImport(source, target, options));
    }
    refuseSameNames(plans);
    for (const network of findUnusedNetworks(call.flags.network, plans))
      io.note(`note: no card is on the network "${printable(network)}" that --network names`);

    const finished = machines.length > 1 ? await findFinished(plans, targetUrl, call) : new Map();
    const open = plans.filter((plan) => !finished.has(plan));
    const refusal = await refusalOf(open, call);
    const finishedBefore = [...finished.values()];
    return refusal ?? (await importAll({ source, target, plans: open, finishedBefore, rateLimiter, call }));
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

async function findFinished(plans: readonly ImportPlan[], target: LocalTargetUrl, { services, io }: Call) {
  const finished = new Map<ImportPlan, FinishedImport>();
  for (const plan of plans) {
    const found = await findFinishedImport(plan, target, services);
    if (found === undefined) continue;
    finished.set(plan, found);
    io.note(`${printable(found.machine)} was finished by an earlier run, in ${printable(found.location)}`);
  }
  return finished;
}

function readRateLimit({ flags: given, clock }: Call): RateLimiter | undefined {
  const rate = given['max-rate'];
  return rate === undefined ? undefined : new RateLimiter({ bytesPerSecond: parseRate(rate), clock });
}

function readCount(flag: string, text: string | undefined, most: number): number | undefined {
  if (text === undefined) return undefined;
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= most) return count;
  throw new UsageError(`--${flag} takes a whole number from 1 to ${most}, not "${text}"`);
}

interface Work {
  readonly source: OpenSource;
  readonly target: OpenTarget;
  readonly plans: readonly ImportPlan[];
  readonly finishedBefore: readonly FinishedImport[];
  readonly rateLimiter: RateLimiter | undefined;
  readonly call: Call;
}

/** Machines under way at once; their disks share the places there are for disks. */
const MACHINES_AT_ONCE = 8;

/** Several at once, where the source is not read in one pass. A failure stops its own machine only. What was finished is printed also when others failed. */
async function importAll(work: Work): Promise<ExitCode> {
  const { source, plans, finishedBefore, call } = work;
  const { io, clock, signal } = call;
  const places = new FairSlots(source.isStreamed ? 1 : MACHINES_AT_ONCE);
  const view = new ImportsView(new ProgressView(io, clock), plans.length);
  const announce = () => view.remark('stopping cleanly; press Ctrl-C again to stop at once');
  signal.addEventListener('abort', announce, { once: true });
  let settled: PromiseSettledResult<ImportOutcome>[];
  try {
    settled = await Promise.allSettled(
      plans.map((plan) => places.run('machines', () => importOne(work, plan, view), { signal })),
    );
  } finally {
    signal.removeEventListener('abort', announce);
    view.end();
  }
  const outcomes = settled.flatMap((each) => (each.status === 'fulfilled' ? each.value : []));
  if (outcomes.length > 0 || finishedBefore.length > 0) {
    const text = () => renderOutcomes(outcomes, io);
    io.print(renderData(importsShape(outcomes, finishedBefore), call.flags.output, text));
  }
  throwFailures(plans, settled);
  return ExitCode.ok;
}

async function importOne({ source, target, rateLimiter, call }: Work, plan: ImportPlan, view: ImportsView) {
  const name = plan.machine.name;
  return await call.services.importMachine(source, target, plan, {
    verify: call.flags.verify,
    restart: call.flags.restart,
    signal: call.signal,
    rateLimiter,
    onProgress: (progress) => view.update(name, progress),
    onRemark: (remark) => view.remark(remark, name),
  });
}

function throwFailures(plans: readonly ImportPlan[], settled: readonly PromiseSettledResult<ImportOutcome>[]): void {
  const failures = settled.flatMap((each, index) =>
    each.status === 'rejected' ? [{ name: plans[index]?.machine.name ?? '', error: each.reason as unknown }] : [],
  );
  const [first] = failures;
  if (first === undefined) return;
  // An interruption is the same for all of them.
  if (plans.length === 1 || isProblem(first.error, 'Interrupted')) throw first.error;
  throw new MachineFailures(failures);
}
