import { virtualMachineImportKind } from '../../api/virtual-machine-import.ts';
import { allOf } from '../../app/cluster/all-of.ts';
import { findImport } from '../../app/cluster/find-import.ts';
import { findSource } from '../../app/cluster/find-source.ts';
import { listSources, summarizeSource } from '../../app/cluster/list-sources.ts';
import type { ClusterScope, OpenCluster } from '../../app/cluster/open-cluster.ts';
import { type ImportSummary, summarizeImport } from '../../app/cluster/summarize-import.ts';
import { allNamespacesFlag, clusterFlags, openCluster, scopeOf } from '../cluster-flags.ts';
import { type CommandCall, defineCommand } from '../define-command.ts';
import { ExitCode } from '../exit-code.ts';
import { exitCodeOf, followToEnd } from '../follow-imports.ts';
import { noteMissingController } from '../note-missing-controller.ts';
import { renderImports, renderSources, renderTroubles } from '../render/cluster-imports.ts';
import { clusterImportsShape, sourcesShape } from '../render/cluster-shapes.ts';
import { renderData } from '../render/data.ts';

import { outputFlag } from '../shared-flags.ts';
import { parseSubject, SUBJECTS, type Subject } from '../subject.ts';
import { UsageError } from '../usage-error.ts';

const flags = {
  watch: { type: 'switch', short: 'w', help: 'Follow the imports until none of them is under way' },
  ...clusterFlags,
  ...allNamespacesFlag,
  ...outputFlag,
} as const;

type Call = CommandCall<typeof flags>;

export const getCommand = defineCommand({
  name: 'get',
  help: 'List imports or sources of a cluster, with how far they are.',
  positionals: [
    { name: 'what', help: '"imports" or "sources"; imports unless given', isOptional: true, suggests: SUBJECTS },
    { name: 'name', help: 'Names; all unless given', isOptional: true, isList: true },
  ],
  flags,
  examples: [
    ['airlift get', 'the imports in the namespace of the context'],
    ['airlift get web01 -w', 'one of them, until it is over'],
    ['airlift get sources -A', 'all sources'],
  ],
  async run(call) {
    const subject = parseSubject(call.positionals);
    if (subject.names.length > 0 && call.flags['all-namespaces'])
      throw new UsageError('a name is looked for in one namespace; leave out --all-namespaces');
    await using open = await openCluster(call);
    const scope = scopeOf(call.flags, open);
    if (subject.what === 'sources') {
      if (call.flags.watch) throw new UsageError('only imports can be followed; leave out --watch');
      return await getSources(call, open, scope, subject);
    }
    return await getImports(call, open, scope, subject);
  },
});

async function getImports(call: Call, open: OpenCluster, scope: ClusterScope, subject: Subject): Promise<ExitCode> {
  const { io, clock, signal } = call;
  let imports = await readImports(open, scope, subject, signal);
  let exitCode: ExitCode = ExitCode.ok;
  if (imports.some(({ verdict }) => verdict === 'open')) await noteMissingController(call, open);
  if (call.flags.watch && imports.length > 0) {
    const ends = await followToEnd(call, open, imports);
    exitCode = exitCodeOf(ends);
    const gone = imports.filter((_, index) => ends[index] === 'gone').map(({ name }) => name);
    const names = subject.names.filter((name) => !gone.includes(name));
    // Of names that are all gone nothing is left to show; without names all are meant.
    const isNothingLeft = subject.names.length > 0 && names.length === 0;
    imports = isNothingLeft ? [] : await readImports(open, scope, { ...subject, names }, signal);
  }
  const options = { now: clock.now(), hasNamespaces: scope.namespace === undefined };
  const text = () => (imports.length === 0 ? '' : renderImports(imports, io, options));
  io.print(renderData(clusterImportsShape(imports), call.flags.output, text));
  if (imports.length === 0) io.note(`no imports${whereIs(scope)}`);
  const troubles = renderTroubles(imports, io);
  if (troubles !== '') io.note(`\n${troubles}`);
  return exitCode;
}

async function readImports(
  { cluster }: OpenCluster,
  { namespace }: ClusterScope,
  { names }: Subject,
  signal: AbortSignal,
): Promise<ImportSummary[]> {
  const stored =
    names.length === 0
      ? await allOf(cluster.list(virtualMachineImportKind, { namespace, signal }))
      : await Promise.all(names.map((name) => findImport(cluster, { namespace, name }, { signal })));
  return stored.map(summarizeImport);
}

async function getSources(call: Call, open: OpenCluster, scope: ClusterScope, subject: Subject): Promise<ExitCode> {
  const { io, clock, signal } = call;
  const { namespace } = scope;
  const stored =
    subject.names.length === 0
      ? await allOf(listSources(open.cluster, { ...scope, signal }))
      : (
          await Promise.all(subject.names.map((name) => findSource(open.cluster, { namespace, name }, { signal })))
        ).flat();
  const sources = stored.map(summarizeSource);
  const options = { now: clock.now(), hasNamespaces: namespace === undefined };
  const text = () => (sources.length === 0 ? '' : renderSources(sources, io, options));
  io.print(renderData(sourcesShape(sources), call.flags.output, text));
  if (sources.length === 0) io.note(`no sources${whereIs(scope)}`);
  const troubles = renderTroubles(sources, io);
  if (troubles !== '') io.note(`\n${troubles}`);
  return ExitCode.ok;
}

function whereIs({ namespace }: ClusterScope): string {
  return namespace === undefined ? ' in any namespace' : ` in namespace ${namespace}`;
}
