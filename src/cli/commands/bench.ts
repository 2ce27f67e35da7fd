import { defineCommand } from '../define-command.ts';
import { ExitCode } from '../exit-code.ts';
import { renderBench } from '../render/bench.ts';
import { renderData } from '../render/data.ts';
import { benchShape } from '../render/shapes.ts';
import { openSource, outputFlag, sourceFlags, sourcePositional } from '../shared-flags.ts';
import { parseLocalTargetUrl } from '../target-url.ts';
import { UsageError } from '../usage-error.ts';

const SECONDS = 5;
const MOST_SECONDS = 600;

export const benchCommand = defineCommand({
  name: 'bench',
  help: 'Measure how fast a source gives data, how fast it is unpacked and how fast a target takes it. Leaves nothing behind.',
  positionals: [
    sourcePositional,
    { name: 'target', help: 'As --to of import: dir:<folder>' },
    { name: 'machine', help: 'Name or id of the machine; needed when there are several', isOptional: true },
  ],
  flags: {
    seconds: { type: 'text', placeholder: 'number', help: `Most time for each of the three; ${SECONDS} unless told` },
    ...outputFlag,
    ...sourceFlags,
  },
  examples: [
    ['airlift bench app.ova dir:./out', 'the three rates of an import of this machine'],
    ['airlift bench https://files.example/app.ova dir:/srv/vms --seconds 20 -o json', 'longer, for a script'],
  ],
  async run(call) {
    const { positionals, flags, services, io, signal } = call;
    const [location = '', to = '', machine] = positionals;
    const maxMs = readSeconds(flags.seconds) * 1000;
    const targetUrl = parseLocalTargetUrl(to);
    await using source = await openSource(call, location);
    await using target = await services.openTarget(targetUrl);
    const result = await services.benchTransfer(source, target, { machine, maxMs, signal });
    io.print(renderData(benchShape(result), flags.output, () => renderBench(result, io)));
    return ExitCode.ok;
  },
});

/** @throws UsageError */
function readSeconds(text: string | undefined): number {
  if (text === undefined) return SECONDS;
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (seconds > 0 && seconds <= MOST_SECONDS) return seconds;
  throw new UsageError(`--seconds takes a number up to ${MOST_SECONDS}, not "${text}"`);
}
