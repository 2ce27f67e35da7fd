import { isBlocker } from '../../domain/finding.ts';
import { defineCommand } from '../define-command.ts';
import { ExitCode } from '../exit-code.ts';
import { findUnusedNetworks, mappingFlags, readMapping } from '../mapping-flags.ts';
import { printable } from '../printable.ts';
import { renderData } from '../render/data.ts';
import { renderPlan } from '../render/plan.ts';
import { planShape } from '../render/shapes.ts';
import { openSource, outputFlag, sourceFlags, sourcePositional } from '../shared-flags.ts';
import { parseLocalTargetUrl } from '../target-url.ts';

/** For source and target together: as long as somebody waits for an answer without wondering. */
const MEASURE_MS = 5_000;

export const planCommand = defineCommand({
  name: 'plan',
  help: 'Show what importing a machine would do: what is kept, changed and dropped, what stands in the way, how long it takes. Changes nothing.',
  positionals: [
    sourcePositional,
    { name: 'machine', help: 'Name or id of the machine; needed when there are several', isOptional: true },
  ],
  flags: {
    to: {
      type: 'text',
      placeholder: 'target',
      help: 'Also look at the target: dir:<folder>[?format=qcow2|raw][&compression=zstd]',
    },
    ...mappingFlags,
    ...outputFlag,
    ...sourceFlags,
  },
  examples: [
    ['airlift plan app.ova', 'what would become of the machine'],
    [
      'airlift plan app.ova --to dir:./out --network "VM Network=default/vlan10"',
      'with space at the target and a network',
    ],
  ],
  async run(call) {
    const { positionals, flags, services, io, signal } = call;
    const [location = '', machine] = positionals;
    const mapping = readMapping(call);
    const targetUrl = flags.to === undefined ? undefined : parseLocalTargetUrl(flags.to);
    await using source = await openSource(call, location);
    await using target = targetUrl === undefined ? undefined : await services.openTarget(targetUrl);
    const plan = await services.planImport(source, target, {
      machine,
      ...mapping,
      measure: { maxMs: MEASURE_MS },
      signal,
    });
    io.print(renderData(planShape(plan), flags.output, () => renderPlan(plan, io)));
    for (const network of findUnusedNetworks(flags.network, [plan]))
      io.note(`note: no card is on the network "${printable(network)}" that --network names`);
    return plan.findings.some(isBlocker) ? ExitCode.blocked : ExitCode.ok;
  },
});
