import { describeImport } from '../../app/cluster/describe-import.ts';
import { findSource } from '../../app/cluster/find-source.ts';
import { summarizeSource } from '../../app/cluster/list-sources.ts';
import { clusterFlags, openCluster } from '../cluster-flags.ts';
import { defineCommand } from '../define-command.ts';
import { ExitCode } from '../exit-code.ts';
import { followToEnd } from '../follow-imports.ts';
import { noteMissingController } from '../note-missing-controller.ts';
import { noteUnseen } from '../note-unseen.ts';
import { descriptionShape, sourcesShape } from '../render/cluster-shapes.ts';
import { renderData } from '../render/data.ts';
import { renderDescription } from '../render/import-description.ts';
import { renderSourceDescription } from '../render/source-description.ts';
import { outputFlag } from '../shared-flags.ts';
import { needNames, parseSubject, SUBJECTS } from '../subject.ts';
import { UsageError } from '../usage-error.ts';

const flags = {
  watch: { type: 'switch', short: 'w', help: 'Follow the import until it is over, then describe it' },
  ...clusterFlags,
  ...outputFlag,
} as const;

export const describeCommand = defineCommand({
  name: 'describe',
  help: 'Show everything about an import or a source of a cluster: findings, disks, objects, events, and what to do next.',
  positionals: [
    { name: 'what', help: '"import" or "source"; an import unless given', isOptional: true, suggests: SUBJECTS },
    { name: 'name', help: 'Its name', isOptional: true, isList: true },
  ],
  flags,
  examples: [
    ['airlift describe web01', 'an import'],
    ['airlift describe source files -n vms', 'a source'],
  ],
  async run(call) {
    const { io, clock, signal } = call;
    const { what, names } = needNames('describe', parseSubject(call.positionals));
    const [name = '', ...more] = names;
    if (more.length > 0) throw new UsageError('describe takes one name');
    await using open = await openCluster(call);
    const { cluster, namespace } = open;
    if (what === 'sources') {
      if (call.flags.watch) throw new UsageError('only imports can be followed; leave out --watch');
      const sources = (await findSource(cluster, { namespace, name }, { signal })).map(summarizeSource);
      const text = () => sources.map((each) => renderSourceDescription(each, io, clock.now())).join('\n\n');
      io.print(renderData(sourcesShape(sources), call.flags.output, text));
      return ExitCode.ok;
    }
    if (call.flags.watch) await followToEnd(call, open, [{ namespace, name }]);
    const described = await describeImport(cluster, { namespace, name }, { signal });
    if (described.summary.verdict === 'open') await noteMissingController(call, open);
    io.print(
      renderData(descriptionShape(described), call.flags.output, () => renderDescription(described, io, clock.now())),
    );
    return noteUnseen(described.unseen, io);
  },
});
