import { inspectSource } from '../../app/inspect-source.ts';
import { defineCommand } from '../define-command.ts';
import { ExitCode } from '../exit-code.ts';
import { renderData } from '../render/data.ts';
import { renderFindings } from '../render/findings.ts';
import { renderMachines } from '../render/inspect.ts';
import { inspectionShape } from '../render/shapes.ts';
import { openSource, outputFlag, sourceFlags, sourcePositional } from '../shared-flags.ts';

export const inspectCommand = defineCommand({
  name: 'inspect',
  help: 'Show what is in a source: machines, disks, sizes, firmware, networks. Changes nothing anywhere.',
  positionals: [
    sourcePositional,
    { name: 'machine', help: 'Name or id of one machine; all unless given', isOptional: true },
  ],
  flags: { ...outputFlag, ...sourceFlags },
  examples: [
    ['airlift inspect app.ova', 'the machines of an appliance'],
    [
      'airlift inspect https://files.example/app.ova -o json',
      'over the network, fetching only what is needed, as JSON',
    ],
  ],
  async run(call) {
    const { positionals, flags, io, signal } = call;
    const [location = '', machine] = positionals;
    await using source = await openSource(call, location);
    const machines = await inspectSource(source, machine, { signal });
    io.print(renderData(inspectionShape(machines), flags.output, () => renderMachines(machines, io)));
    const findings = machines.flatMap((each) => each.findings);
    if (findings.length > 0) io.note(`\n${renderFindings(findings, io)}`);
    return ExitCode.ok;
  },
});
