import type { Finding } from '../domain/finding.ts';
import type { Disk, Machine } from '../domain/machine.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Source } from '../ports/source.ts';
import { planDisks } from './plan-disks.ts';

export interface InspectedMachine {
  readonly machine: Machine;
  readonly disks: readonly { readonly disk: Disk; readonly format: string | undefined }[];
  readonly findings: readonly Finding[];
}

/** What is in a source: all machines, or the one named. Changes nothing anywhere. */
export async function inspectSource(
  source: Source,
  ref: string | undefined,
  options: CallOptions = {},
): Promise<InspectedMachine[]> {
  const refs = ref === undefined ? await listIds(source, options) : [ref];
  const inspected: InspectedMachine[] = [];
  for (const each of refs) {
    const machine = await source.inspect(each, options);
    const findings: Finding[] = [];
    for await (const finding of source.preflight(machine, options)) findings.push(finding);
    const disks = await planDisks(source, machine, options);
    inspected.push({ machine, findings, disks: disks.map(({ disk, format }) => ({ disk, format })) });
  }
  return inspected;
}

async function listIds(source: Source, options: CallOptions): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of source.listMachines(options)) ids.push(id);
  return ids;
}
