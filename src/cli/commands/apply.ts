import { virtualMachineImportKind } from '../../api/virtual-machine-import.ts';
import { type Applied, applyManifest } from '../../app/cluster/apply-manifest.ts';
import { readManifest } from '../../app/cluster/read-manifest.ts';
import { clusterFlags, openCluster } from '../cluster-flags.ts';
import { type CommandCall, defineCommand } from '../define-command.ts';
import { ExitCode } from '../exit-code.ts';
import { exitCodeOf, followToEnd } from '../follow-imports.ts';
import { noteMissingController } from '../note-missing-controller.ts';
import { appliedShape, renderApplied } from '../render/applied.ts';
import { renderData } from '../render/data.ts';
import { renderProblem } from '../render/problem.ts';
import { outputFlag } from '../shared-flags.ts';
import { UsageError } from '../usage-error.ts';

const flags = {
  filename: {
    type: 'list',
    short: 'f',
    placeholder: 'file',
    help: 'YAML or JSON with sources, their Secrets and imports; "-" is standard input; may be repeated',
  },
  force: { type: 'switch', help: 'Take fields that others wrote, such as kubectl' },
  watch: { type: 'switch', short: 'w', help: 'Follow the imports until they are over' },
  ...clusterFlags,
  ...outputFlag,
} as const;

type Call = CommandCall<typeof flags>;

export const applyCommand = defineCommand({
  name: 'apply',
  help: 'Write sources, their Secrets and imports into a cluster, as a manifest has them. What is there already is changed to it.',
  whenInterrupted: 'what was applied so far stays; the same command applies the rest.',
  positionals: [],
  flags,
  examples: [
    ['airlift apply -f web01.yaml -w', 'and follow the imports in it'],
    ['airlift apply -f - -n vms < web01.yaml', 'from standard input, into a namespace'],
  ],
  async run(call) {
    const { io, signal } = call;
    if (call.flags.filename.length === 0) throw new UsageError('apply needs --filename <file>');
    const texts = await readFiles(call);
    await using open = await openCluster(call);
    const { cluster, namespace } = open;
    const isNamespaceFixed = call.flags.namespace !== undefined;
    // All files first: of a manifest that cannot be read nothing is applied.
    const objects = texts.flatMap(({ name, text }) => readManifest(name, text, { namespace, isNamespaceFixed }));
    const applied: Applied[] = [];
    for await (const each of applyManifest(cluster, objects, { force: call.flags.force, signal })) applied.push(each);
    io.print(renderData(appliedShape(applied), call.flags.output, () => renderApplied(applied, io)));
    for (const each of applied) if (each.result === 'failed') io.complain(renderProblem(each.problem, io));

    const imports = applied.filter((each) => each.kind === virtualMachineImportKind && each.result !== 'failed');
    if (imports.length > 0) await noteMissingController(call, open);
    const isFailed = applied.some(({ result }) => result === 'failed');
    if (!call.flags.watch || imports.length === 0) return isFailed ? ExitCode.problem : ExitCode.ok;
    const refs = imports.map(({ object: { metadata } }) => ({
      namespace: metadata.namespace ?? '',
      name: metadata.name,
    }));
    const exitCode = exitCodeOf(await followToEnd(call, open, refs));
    return isFailed ? ExitCode.problem : exitCode;
  },
});

async function readFiles({ flags: { filename }, services, signal }: Call) {
  const texts: { readonly name: string; readonly text: string }[] = [];
  for (const name of filename) {
    const text = name === '-' ? await services.readInput({ signal }) : await services.readTextFile(name);
    texts.push({ name: name === '-' ? 'standard input' : name, text });
  }
  return texts;
}
