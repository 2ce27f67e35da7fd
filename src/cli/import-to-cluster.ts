import type { StoredVirtualMachineImport } from '../api/virtual-machine-import.ts';
import { findImport } from '../app/cluster/find-import.ts';
import type { ImportEnd } from '../app/cluster/follow-imports.ts';
import type { ImportWish, SourceWish } from '../app/cluster/import-wish.ts';
import { lookForController } from '../app/cluster/look-for-controller.ts';
import type { OpenCluster } from '../app/cluster/open-cluster.ts';
import { findPlaced, placeImport, removeSource } from '../app/cluster/place-import.ts';
import { type ImportSummary, summarizeImport } from '../app/cluster/summarize-import.ts';
import type { ImportPlan } from '../app/import-plan.ts';
import type { OpenSource } from '../app/platforms.ts';
import { ProblemError } from '../domain/problems.ts';
import type { CommandCall, Flags } from './define-command.ts';
import { ExitCode } from './exit-code.ts';
import { exitCodeOf, followToEnd } from './follow-imports.ts';
import { findUnusedNetworks, type mappingFlags, readMapping } from './mapping-flags.ts';
import { printable } from './printable.ts';
import { parseRate } from './rate.ts';
import { refusalOf } from './refuse-findings.ts';
import { renderEnd, renderTroubles } from './render/cluster-imports.ts';
import { clusterImportsShape } from './render/cluster-shapes.ts';
import { renderData } from './render/data.ts';
import { renderFindings } from './render/findings.ts';
import type { SourceOptions } from './services.ts';
import { openSourceWith, type outputFlag, type sourceFlags } from './shared-flags.ts';
import type { ClusterUrl } from './target-url.ts';
import { UsageError } from './usage-error.ts';

/** Of `import`, for a cluster only. */
export const clusterImportFlags = {
  detach: {
    type: 'switch',
    help: 'kubevirt: do not wait for the import, which goes on without us; not for local files',
  },
  'leave-off': { type: 'switch', help: 'kubevirt: do not start the machine once it is complete' },
  image: {
    type: 'text',
    placeholder: 'image',
    help: 'kubevirt: image of the Pod that takes in a local file; that of the installed controller unless given',
  },
} as const satisfies Flags;

interface OwnFlags extends Flags {
  readonly all: { type: 'switch'; help: string };
  readonly restart: { type: 'switch'; help: string };
  readonly yes: { type: 'switch'; help: string };
  readonly verify: { type: 'choice'; of: readonly ['readback', 'none']; default: 'readback'; help: string };
  readonly 'max-rate': { type: 'text'; placeholder: string; help: string };
  readonly lanes: { type: 'text'; placeholder: string; help: string };
  readonly connections: { type: 'text'; placeholder: string; help: string };
}
type ImportCall = CommandCall<
  OwnFlags & typeof clusterImportFlags & typeof mappingFlags & typeof outputFlag & typeof sourceFlags
>;

/** @throws UsageError for what only a cluster can do */
export function refuseClusterFlags(flags: Pick<ImportCall['flags'], keyof typeof clusterImportFlags>): void {
  if (flags.detach || flags['leave-off'] || flags.image !== undefined)
    throw new UsageError('--detach, --leave-off and --image are for kubevirt: targets');
}

/**
 * Leaves the work to the controller of a cluster: writes source and import there and follows them. A file of this machine is read by the cluster for as long as this runs.
 * @throws ProblemError `ControllerMissing`, and those of placeImport
 */
export async function importToCluster(call: ImportCall, to: ClusterUrl): Promise<ExitCode> {
  const { positionals, flags, services, io, clock, signal } = call;
  const [location = '', machineName] = positionals;
  refuseLocalFlags(call);
  const { mapping, targetName } = readMapping(call);
  if (to.namespace !== undefined && flags.namespace !== undefined && to.namespace !== flags.namespace)
    throw new UsageError(`--to names the namespace ${to.namespace}, and --namespace ${flags.namespace}`);
  if (to.name !== undefined && flags.name !== undefined && to.name !== flags.name)
    throw new UsageError(`--to names the machine ${to.name}, and --name ${flags.name}`);
  const isLocal = !/^https?:\/\//i.test(location);
  if (isLocal && flags.detach)
    throw new UsageError('a local file is read from here until all is copied; leave out --detach');

  await using open = await services.openCluster({
    context: to.context,
    namespace: to.namespace ?? flags.namespace,
    signal,
  });
  if (open.remarks.length > 0) io.note(renderFindings(open.remarks, io));
  const missing = await lookForController(open.cluster, clock.now(), { signal });
  if (missing !== undefined) throw new ProblemError('ControllerMissing', missing.message);

  const { plan, options } = await lookAtSource(call, location, {
    machineName,
    targetName: to.name ?? targetName,
    mapping,
  });
  const refusal = await refusalOf([plan], call);
  if (refusal !== undefined) return refusal;
  const { namespace } = open;
  const name = plan.targetName;
  const file = isLocal ? await services.locateFile(location) : undefined;
  const wish = { name, namespace, origin: file?.origin ?? plan.source, spec: specOf(call, plan, mapping) };
  const before = await findPlaced(open.cluster, wish, { signal });
  if (before !== undefined && summarizeImport(before).verdict === 'done') {
    io.note(`${printable(name)} was finished by an earlier run`);
    return tell(call, summarizeImport(before), 'done');
  }
  if (file === undefined) return await run(call, open, { ...wish, source: remoteSource(location, options) });

  const diskFiles = plan.machine.disks.flatMap(({ fileName }) => fileName ?? []);
  const onRemark = (remark: string) => io.note(printable(remark));
  await using upload = await services.openUpload(open, {
    file,
    diskFiles,
    name,
    namespace,
    image: flags.image,
    onRemark,
    signal,
  });
  const stop = new AbortController();
  upload.lost.catch((error: unknown) => stop.abort(error));
  const until = { ...call, signal: AbortSignal.any([signal, stop.signal]) };
  const exitCode = await run(until, open, { ...wish, source: upload.source }, (stored) => upload.adopt(stored));
  await upload.remove();
  // Of a machine that is there nobody reads the source again, and what this one named is gone.
  if (exitCode === ExitCode.ok) await removeSource(open.cluster, wish, { signal });
  return exitCode;
}

const WHEN_STOPPED = {
  remote: 'the import goes on in the cluster; `airlift get -w` follows it',
  local: 'the cluster waits for the file; its relay goes after 15 minutes, and comes again with the same command',
};

/** Places the import and follows it to its end. */
async function run(
  call: ImportCall,
  open: OpenCluster,
  wish: ImportWish,
  onPlaced?: (stored: StoredVirtualMachineImport) => Promise<void>,
): Promise<ExitCode> {
  const { io, clock, signal, flags } = call;
  const { cluster } = open;
  const { stored, was } = await placeImport(cluster, wish, { now: clock.now(), restart: flags.restart, signal });
  await onPlaced?.(stored);
  const { name, namespace } = wish;
  io.note(
    `${io.paint.bold(name)} in namespace ${namespace} ${was === 'new' ? 'begins' : 'goes on'}; \`airlift describe ${name} -n ${namespace}\` shows all of it`,
  );
  if (flags.detach) {
    io.print(renderData(clusterImportsShape([summarizeImport(stored)]), flags.output, () => ''));
    return ExitCode.ok;
  }
  const tellStop = () => io.note(WHEN_STOPPED[onPlaced === undefined ? 'remote' : 'local']);
  signal.addEventListener('abort', tellStop, { once: true });
  let end: ImportEnd | undefined;
  try {
    [end = 'gone'] = await followToEnd(call, open, [{ namespace, name }]);
  } finally {
    signal.removeEventListener('abort', tellStop);
  }
  const after =
    end === 'gone'
      ? summarizeImport(stored)
      : summarizeImport(await findImport(cluster, { namespace, name }, { signal }));
  return tell(call, after, end);
}

function tell({ io, flags }: ImportCall, summary: ImportSummary, end: ImportEnd): ExitCode {
  io.print(renderData(clusterImportsShape([summary]), flags.output, () => renderEnd(summary, summary.name, end, io)));
  const troubles = renderTroubles([summary], io);
  if (troubles !== '') io.complain(troubles);
  return exitCodeOf([end]);
}

interface Wanted {
  readonly machineName: string | undefined;
  readonly targetName: string | undefined;
  readonly mapping: ReturnType<typeof readMapping>['mapping'];
}

/** The source as it is seen from here: which machine it is, and what is known to stand in the way before anything is written. */
async function lookAtSource(
  call: ImportCall,
  location: string,
  { machineName, targetName, mapping }: Wanted,
): Promise<{ readonly plan: ImportPlan; readonly options: SourceOptions }> {
  const { services, io, signal, flags } = call;
  const { source, options } = await openSourceWith(call, location);
  await using _closed = source;
  await refuseSeveral(source, signal);
  const plan = await services.planImport(source, undefined, { machine: machineName, targetName, mapping, signal });
  for (const network of findUnusedNetworks(flags.network, [plan]))
    io.note(`note: no card is on the network "${printable(network)}" that --network names`);
  return { plan, options };
}

/** @throws ProblemError `SourceKindUnsupported`: a source of a cluster is one machine */
async function refuseSeveral(source: OpenSource, signal: AbortSignal): Promise<void> {
  const names: string[] = [];
  for await (const { name } of source.listMachines({ signal })) names.push(name);
  if (names.length < 2) return;
  const detail = `${source.location} holds ${names.join(' and ')}; into a cluster goes an appliance with one machine. Import it to dir:<folder> and bring what it writes`;
  throw new ProblemError('SourceKindUnsupported', detail);
}

/** What is the work of this process elsewhere, and of the controller here. */
function refuseLocalFlags({ flags, positionals }: ImportCall): void {
  if (flags.all || positionals.length > 2) throw new UsageError('into a cluster goes one machine at a time');
  for (const flag of ['lanes', 'connections', 'deployment'] as const)
    if (flags[flag] !== undefined)
      throw new UsageError(`--${flag} is not for kubevirt: targets; the controller decides it`);
  if (flags['signature-ca'].length > 0) throw new UsageError('--signature-ca is not for kubevirt: targets');
}

/** Secrets go into the Secret, also those in an address. */
function remoteSource(location: string, { user, password, caPem, insecure }: SourceOptions): SourceWish {
  const url = new URL(location);
  const account = {
    username: user ?? decodeURIComponent(url.username),
    password: password ?? decodeURIComponent(url.password),
  };
  url.username = '';
  url.password = '';
  url.hash = '';
  const secret = { ...account, 'ca.crt': caPem ?? '' };
  const given = Object.entries(secret).filter(([, value]) => value !== '');
  return { url: url.href, secret: Object.fromEntries(given), insecure };
}

function specOf(
  { flags }: ImportCall,
  { machine, targetName }: ImportPlan,
  mapping: Wanted['mapping'],
): ImportWish['spec'] {
  const { networks, diskBus, storageClassName } = mapping;
  const maxRate = flags['max-rate'];
  if (maxRate !== undefined) parseRate(maxRate);
  const networkMapping = [...networks].map(([sourceNetwork, destinationNetwork]) => {
    if (destinationNetwork !== 'pod') return { sourceNetwork, destinationNetwork };
    throw new UsageError(
      `--network ${sourceNetwork}=pod: in a cluster a machine without any other card gets one on the Pod network by itself`,
    );
  });
  return {
    virtualMachineName: machine.name,
    targetName,
    ...(flags['leave-off'] ? { run: false } : {}),
    ...(networkMapping.length === 0 ? {} : { networkMapping }),
    ...(storageClassName === undefined ? {} : { storageClass: storageClassName }),
    ...(diskBus === undefined ? {} : { disks: machine.disks.map((_, index) => ({ index, bus: diskBus })) }),
    transfer: { verify: flags.verify, ...(maxRate === undefined ? {} : { maxRate: maxRate.trim() }) },
  };
}
