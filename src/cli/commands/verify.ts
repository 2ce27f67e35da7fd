import { RateMeter } from '../../app/import-progress.ts';
import type { Clock } from '../../app/platforms.ts';
import type { VerifyOptions } from '../../app/verify-report.ts';
import { problems } from '../../domain/problems.ts';
import { defineCommand } from '../define-command.ts';
import { ExitCode } from '../exit-code.ts';
import { renderData } from '../render/data.ts';
import { renderVerification } from '../render/outcome.ts';
import { ProgressView } from '../render/progress.ts';
import { verificationShape } from '../render/shapes.ts';
import { outputFlag } from '../shared-flags.ts';

export const verifyCommand = defineCommand({
  name: 'verify',
  help: 'Read the disks of a finished import again and compare every byte with its report.',
  positionals: [{ name: 'report', help: 'The report.json beside the disks' }],
  flags: outputFlag,
  examples: [
    [
      'airlift verify out/app/report.json',
      'exit 0: all the same; 4: something differs; 5: something was not looked at',
    ],
  ],
  async run({ positionals, flags, services, io, clock, signal }) {
    const [path = ''] = positionals;
    const view = new ProgressView(io, clock);
    let disks: Awaited<ReturnType<typeof services.verifyReport>>;
    try {
      disks = await services.verifyReport(path, { signal, onProgress: showProgress(view, clock) });
    } finally {
      view.end();
    }
    io.print(renderData(verificationShape(disks), flags.output, () => renderVerification(disks, io)));
    if (disks.some(({ status }) => status === 'different')) {
      io.complain(`VerificationFailed: ${problems.VerificationFailed.remedy}`);
      return ExitCode.different;
    }
    return disks.some(({ status }) => status === 'unverifiable') ? ExitCode.unknown : ExitCode.ok;
  },
});

function showProgress(view: ProgressView, clock: Clock): NonNullable<VerifyOptions['onProgress']> {
  let current: { readonly file: string; readonly meter: RateMeter } | undefined;
  return ({ file, doneBytes, totalBytes }) => {
    if (current?.file !== file) current = { file, meter: new RateMeter(clock, doneBytes) };
    const { meter } = current;
    meter.update(doneBytes);
    const etaMs = meter.etaMs(doneBytes, totalBytes);
    const display = { doneBytes, totalBytes, bytesPerSecond: meter.bytesPerSecond, etaMs };
    view.update({ disks: [{ ...display, index: 0, name: file, phase: 'verify' }], overall: display });
  };
}
