import { defineCommand } from '../define-command.ts';
import { ExitCode } from '../exit-code.ts';
import { renderData } from '../render/data.ts';
import { renderVerification } from '../render/outcome.ts';
import { ProgressView } from '../render/progress.ts';
import { outputFlag } from '../shared-flags.ts';

export const verifyCommand = defineCommand({
  name: 'verify',
  help: 'Read the disks of a finished import again and compare every byte with its report.',
  positionals: [{ name: 'report', help: 'The report.json beside the disks' }],
  flags: outputFlag,
  examples: [
    [
      'airlift verify out/app/report.json',
      'exit 0 when nothing changed, 4 when something did, 5 when something could not be looked at',
    ],
  ],
  async run({ positionals, flags, services, io, clock, signal }) {
    const [path = ''] = positionals;
    const view = new ProgressView(io, clock);
    try {
      const results = await services.verifyReport(path, {
        signal,
        onProgress: ({ file, doneBytes, totalBytes }) => {
          const display = { doneBytes, totalBytes, bytesPerSecond: undefined, etaMs: undefined };
          view.update({ disks: [{ ...display, index: 0, name: file, phase: 'verify' }], overall: display });
        },
      });
      view.end();
      io.print(renderData(results, flags.output, (each) => renderVerification(each, io)));
      if (results.some(({ status }) => status === 'different')) return ExitCode.different;
      return results.some(({ status }) => status === 'unverifiable') ? ExitCode.unknown : ExitCode.ok;
    } finally {
      view.end();
    }
  },
});
