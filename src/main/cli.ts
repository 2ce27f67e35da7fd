import { runCli } from '../cli/run-cli.ts';
import { interruptionSignal } from './interruption.ts';
import { services } from './services.ts';
import { systemClock } from './system-clock.ts';
import { createTerminal } from './terminal.ts';

// Output into a closed pipe (`| head`) is no error of ours; the reader has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

// `npm start --` when the launcher of a checkout started us: commands to copy should work where the user is.
process.exitCode = await runCli(process.argv.slice(2), {
  services,
  io: createTerminal(),
  clock: systemClock,
  signal: interruptionSignal(),
  isDebug: Boolean(process.env.AIRLIFT_DEBUG),
  ...(process.env.AIRLIFT_PROGRAM_NAME === undefined ? {} : { programName: process.env.AIRLIFT_PROGRAM_NAME }),
});
