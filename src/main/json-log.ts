import pino from 'pino';
import type { Log, LogFields } from '../ports/log.ts';

/** One JSON object a line on stdout, written before the call returns: a process that ends at once has said why. */
export function createJsonLog(name: string, fields: LogFields = {}): Log {
  const logger = pino(
    {
      name,
      base: { ...fields },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      messageKey: 'message',
    },
    pino.destination({ dest: 1, sync: true }),
  );
  return {
    info: (message, more = {}) => logger.info(more, message),
    warn: (message, more = {}) => logger.warn(more, message),
    error: (message, more = {}) => logger.error(more, message),
  };
}
