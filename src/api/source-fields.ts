import { z } from 'zod';
import { count, text, timestamp, upstream, upstreamConditions } from './fields.ts';
import { AGE_COLUMN, type PrinterColumn } from './kind-definition.ts';

/** Ours, in the spec of each source. */
export const insecureSkipTlsVerify = z.boolean().default(false).meta({
  description:
    "Do not check who the source is. Without it, its certificate is verified against the CA in the Secret, or the system's CAs when there is none. Shown as a warning for as long as it is set.",
});

/** The status that all sources share. */
export const sourceStatus = upstream.element('What was found out about the source.', {
  status: upstream.text('`clusterReady` or `clusterNotReady`; empty before the first verdict.'),
  conditions: upstreamConditions('`ClusterReady` and `ClusterError`, always opposites.'),
  check: z
    .object({
      time: timestamp('When the source was last asked.'),
      observedGeneration: count('`metadata.generation` of the spec that was tried.'),
      secretVersion: text('`resourceVersion` of the Secret that was tried: a new one is tried at once.'),
      reason: text('[Problem code](../problems.md) of what is wrong; absent when nothing is.'),
      message: text('What was found, for people.'),
      nextStep: text('What to do about it.'),
    })
    .optional()
    .meta({
      description: 'The last time the source was looked at. It is looked at again now and then, and after each change.',
    }),
});

/** Upstream's column as it is, then ours. */
export function sourceColumns(address: string): readonly PrinterColumn[] {
  return [
    { name: 'Status', type: 'string', jsonPath: '.status.status' },
    { name: 'Reason', type: 'string', jsonPath: '.status.check.reason' },
    { name: 'Address', type: 'string', jsonPath: address, priority: 1 },
    { name: 'Message', type: 'string', jsonPath: '.status.check.message', priority: 1 },
    AGE_COLUMN,
  ];
}
