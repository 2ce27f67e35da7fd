import pino, { type DestinationStream } from 'pino';
import { ProblemError } from '../domain/problems.ts';
import type { Log, LogFields } from '../ports/log.ts';
import { loggable } from './loggable.ts';

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

export interface JsonLogOptions {
  /** Of the program. */
  readonly name: string;
  readonly level: LogLevel;
  /** On each line. */
  readonly fields?: LogFields | undefined;
  /** stdout unless given, written before the call returns: a process that ends at once has said why. */
  readonly destination?: DestinationStream | undefined;
}

/** One JSON object a line. Secrets are taken out, errors come with code and causes (see `loggable`). */
export function createJsonLog({ name, level, fields = {}, destination }: JsonLogOptions): Log {
  const logger = pino(
    {
      name,
      level,
      base: loggable(fields),
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      messageKey: 'message',
      // They come serialised already, whatever the field is called.
      serializers: {},
    },
    destination ?? pino.destination({ dest: 1, sync: true }),
  );
  const write =
    (at: LogLevel) =>
    (message: string, more: LogFields = {}) => {
      // What is not written costs nothing.
      if (logger.isLevelEnabled(at)) logger[at](loggable(more), message);
    };
  return { info: write('info'), warn: write('warn'), error: write('error') };
}

/**
 * `AIRLIFT_LOG_LEVEL`, else upstream's `DEBUG` (`true` or `TRUE`), else `info`.
 * @throws ProblemError `ControllerSettingsWrong`
 */
export function readLogLevel(environment: Readonly<Record<string, string | undefined>>): LogLevel {
  const given = environment.AIRLIFT_LOG_LEVEL;
  if (!given) return environment.DEBUG?.toLowerCase() === 'true' ? 'debug' : 'info';
  const level = logLevels.find((each) => each === given.toLowerCase());
  if (level === undefined)
    throw new ProblemError(
      'ControllerSettingsWrong',
      `AIRLIFT_LOG_LEVEL is "${given}", not one of ${logLevels.join(', ')}`,
    );
  return level;
}
