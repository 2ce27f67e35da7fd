import { type VirtualMachineImport, virtualMachineImportKind } from '../../api/virtual-machine-import.ts';
import { type ObjectRef, refOf } from '../../domain/kubernetes-object.ts';
import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Cluster } from '../../ports/cluster.ts';

/** Who wants to hear that something about an import has changed while a step of it is being taken. */
export class ImportChanges {
  readonly #listeners = new Map<string, Set<() => void>>();
  readonly #stop = new AbortController();

  /** Aborted when the controller ends. */
  get stopping(): AbortSignal {
    return this.#stop.signal;
  }

  tell(ref: ObjectRef): void {
    for (const listener of this.#listeners.get(keyOf(ref)) ?? []) listener();
  }

  listen(ref: ObjectRef, listener: () => void): Disposable {
    const key = keyOf(ref);
    const listeners = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, listeners.add(listener));
    return {
      [Symbol.dispose]: () => {
        listeners.delete(listener);
        if (listeners.size === 0) this.#listeners.delete(key);
      },
    };
  }

  stop(): void {
    this.#stop.abort(new Error('the controller ends'));
  }
}

/**
 * Does what may take minutes and changes nothing, such as asking a source that does not answer, unless the import is edited or deleted meanwhile, or the controller ends: a user who deletes
 * such an import would otherwise wait as long as the source.
 * @throws ProblemError `ClusterConflict` when the import is no longer as it was
 */
export async function unlessChanged<T>(
  { cluster, changes }: { readonly cluster: Cluster; readonly changes: ImportChanges },
  machineImport: VirtualMachineImport,
  work: (options: CallOptions) => Promise<T>,
  options: CallOptions = {},
): Promise<T> {
  const ref = refOf(machineImport);
  const stop = new AbortController();
  const look = async () => {
    try {
      const now = await cluster.get(virtualMachineImportKind, ref, options);
      if (isSame(now, machineImport)) return;
      stop.abort(new ProblemError('ClusterConflict', `import "${ref.name}" was changed while its source was asked`));
    } catch (error) {
      stop.abort(error);
    }
  };
  using _listening = changes.listen(ref, () => void look());
  const signals = [stop.signal, changes.stopping, ...(options.signal === undefined ? [] : [options.signal])];
  try {
    return await work({ ...options, signal: AbortSignal.any(signals) });
  } catch (error) {
    // Whatever a source made of being given up.
    stop.signal.throwIfAborted();
    throw error;
  }
}

/** Its status is ours. */
function isSame(
  now: { readonly metadata: VirtualMachineImport['metadata'] } | undefined,
  { metadata }: VirtualMachineImport,
): boolean {
  return (
    now?.metadata.uid === metadata.uid &&
    now?.metadata.generation === metadata.generation &&
    now?.metadata.deletionTimestamp === metadata.deletionTimestamp
  );
}

function keyOf({ namespace = '', name }: ObjectRef): string {
  return `${namespace}/${name}`;
}
