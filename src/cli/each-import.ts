import type { StoredVirtualMachineImport } from '../api/virtual-machine-import.ts';
import { findImport } from '../app/cluster/find-import.ts';
import type { OpenCluster } from '../app/cluster/open-cluster.ts';
import { isProblem } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import { MachineFailures } from './machine-failures.ts';

/**
 * Does something to each named import, one after the other. One that fails does not keep the others from it.
 * @throws what the only one failed with, or `MachineFailures`
 */
export async function eachImport(
  { cluster, namespace }: Pick<OpenCluster, 'cluster' | 'namespace'>,
  names: readonly string[],
  act: (stored: StoredVirtualMachineImport) => Promise<void>,
  options: CallOptions,
): Promise<void> {
  const failures: { readonly name: string; readonly error: unknown }[] = [];
  for (const name of names) {
    try {
      await act(await findImport(cluster, { namespace, name }, options));
    } catch (error) {
      if (!isProblem(error) || error.code === 'Interrupted') throw error;
      failures.push({ name, error });
    }
  }
  const [first] = failures;
  if (first === undefined) return;
  throw names.length === 1 ? first.error : new MachineFailures(failures);
}
