import { RateMeter } from '../../app/import-progress.ts';
import type { Clock } from '../../app/platforms.ts';
import type { VerifyOptions } from '../../app/verify-report.ts';
import { problems } from '../../domain/problems.ts';
import { RateLimiter } from '../../lib/rate-limiter.ts';
import { defineCommand } from '../define-command.ts';
import { ExitCode } from '../exit-code.ts';
import { parseRate } from '../rate.ts';
import { renderData } from '../render/data.ts';
import { ProgressView } from '../render/progress.ts';
import { verificationShape } from '../render/shapes.ts';
import { renderVerification, verdictOf } from '../render/verification.ts';
import { openSource, outputFlag, sourceFlags } from '../shared-flags.ts';

export const verifyCommand = defineCommand({
  name: 'verify',
  help: 'Read the disks of a finished import again and compare every byte with its report.',
  positionals: [{ name: 'report', help: 'The report.json beside the disks' }],
  flags: {
    source: {
      type: 'text',
      placeholder: 'source',
      help: 'Read the source again too, to tell whether it is the target or the source that changed',
    },
    'max-rate': {
      type: 'text',
      placeholder: 'rate',
      help: 'Read at most this much per second, such as 150MB or 20MiB',
    },
    ...outputFlag,
    ...sourceFlags,
  },
  examples: [
    [
      'airlift verify out/app/report.json',
      'exit 0: all the same; 4: something differs; 5: something was not looked at',
    ],
    ['airlift verify out/app/report.json --source app.ova', 'the source again too'],
  ],
  async run(call) {
    const { positionals, flags, services, io, clock, signal } = call;
    const [path = ''] = positionals;
    const maxRate = flags['max-rate'];
    const rateLimiter =
      maxRate === undefined ? undefined : new RateLimiter({ bytesPerSecond: parseRate(maxRate), clock });
    await using source = flags.source === undefined ? undefined : await openSource(call, flags.source);
    const view = new ProgressView(io, clock);
    let disks: Awaited<ReturnType<typeof services.verifyReport>>;
    try {
      disks = await services.verifyReport(path, {
        source,
        rateLimiter,
        signal,
        onProgress: showProgress(view, clock),
      });
    } finally {
      view.end();
    }
    io.print(renderData(verificationShape(disks), flags.output, () => renderVerification(disks, io)));
    const verdict = verdictOf(disks);
    if (verdict === 'target' || verdict === 'both')
      io.complain(`VerificationFailed: ${problems.VerificationFailed.remedy}`);
    if (verdict === 'source' || verdict === 'both') io.complain(SOURCE_DIFFERS);
    if (verdict !== 'none') return ExitCode.different;
    const looks = disks.flatMap(({ source: other, ...own }) => (other === undefined ? [own] : [own, other]));
    return looks.some(({ status }) => status === 'unverifiable') ? ExitCode.unknown : ExitCode.ok;
  },
});

const SOURCE_DIFFERS =
  'The import is what was read then; the source changed since. Import it again when the new state is wanted.';

function showProgress(view: ProgressView, clock: Clock): NonNullable<VerifyOptions['onProgress']> {
  let current: { readonly name: string; readonly meter: RateMeter } | undefined;
  return ({ file, side, doneBytes, totalBytes }) => {
    const name = side === 'target' ? file : `source of ${file}`;
    if (current?.name !== name) current = { name, meter: new RateMeter(clock, doneBytes) };
    const { meter } = current;
    meter.update(doneBytes);
    const etaMs = meter.etaMs(doneBytes, totalBytes);
    const display = { doneBytes, totalBytes, bytesPerSecond: meter.bytesPerSecond, etaMs };
    view.update({ disks: [{ ...display, index: 0, name, phase: 'verify' }], overall: display });
  };
}
