import { isBlocker } from '../../domain/finding.ts';
import { defineCommand } from '../define-command.ts';
import { ExitCode } from '../exit-code.ts';
import { renderData } from '../render/data.ts';
import { renderPlan } from '../render/plan.ts';
import { mappingFlags, openSource, outputFlag, readMapping, sourceFlags } from '../shared-flags.ts';
import { parseTargetUrl } from '../target-url.ts';

export const planCommand = defineCommand({
  name: 'plan',
  help: 'Show what importing a machine would do: what is kept, changed and dropped, what stands in the way. Changes nothing.',
  positionals: [
    { name: 'source', help: 'An .ova, an .ovf, a folder with one, a disk image, or an http(s) address of an .ova' },
    { name: 'machine', help: 'Name or id of the machine; needed when there are several', isOptional: true },
  ],
  flags: {
    to: { type: 'text', placeholder: 'target', help: 'Also look at the target: dir:<folder>[?format=qcow2|raw]' },
    ...mappingFlags,
    ...outputFlag,
    ...sourceFlags,
  },
  examples: [
    ['airlift plan app.ova', 'what would become of the machine'],
    [
      'airlift plan app.ova --to dir:./out --network "VM Network=default/vlan10"',
      'with the space at the target and a network',
    ],
  ],
  async run(call) {
    const { positionals, flags, services, io, signal } = call;
    const [location = '', machine] = positionals;
    await using source = await openSource(call, location);
    await using target = flags.to === undefined ? undefined : await services.openTarget(parseTargetUrl(flags.to));
    const plan = await services.planImport(source, target, { machine, ...readMapping(call), signal });
    io.print(renderData(plan, flags.output, (each) => renderPlan(each, io)));
    return plan.findings.some(isBlocker) ? ExitCode.blocked : ExitCode.ok;
  },
});
