import { ovaSourceKind } from '../../api/ova-source.ts';
import type { KubernetesObject } from '../../domain/kubernetes-object.ts';
import type { Machine } from '../../domain/machine.ts';
import { ProblemError } from '../../domain/problems.ts';
import type { Source } from '../../ports/source.ts';
import type { SourceAdapter } from '../../ports/source-adapter.ts';
import { buildSyntheticDisk, syntheticReader } from '../synthetic-disk.ts';

const KIB = 1024;

/** An OvaSource whose server is a machine in memory. `failure` is what looking at it meets. */
export class FakeOvaAdapter implements SourceAdapter {
  readonly resource = ovaSourceKind;
  machine: Machine;
  failure: ProblemError | undefined;
  /** How often somebody looked. */
  opened = 0;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  async resolve(stored: KubernetesObject & { readonly spec?: { readonly credentials?: unknown } }) {
    return {
      location: 'https://files.example/app.ova',
      host: 'files.example',
      secretVersion: undefined,
      machineRef: () => undefined,
      check: async () => {
        if (this.failure !== undefined) throw this.failure;
      },
      open: async () => this.#open(),
      direct: stored.spec?.credentials ? undefined : { ova: { url: 'https://files.example/app.ova' } },
    };
  }

  #open(): Source {
    this.opened += 1;
    if (this.failure !== undefined) throw this.failure;
    const { machine } = this;
    return {
      kind: 'ova',
      location: 'https://files.example/app.ova',
      isStreamed: false,
      async *listMachines() {
        yield { id: machine.id, name: machine.name, diskCount: machine.disks.length, virtualSizeBytes: 0 };
      },
      inspect: async () => machine,
      async *preflight() {},
      openDisk: async (_machine, disk) => {
        const built = buildSyntheticDisk({ virtualSizeBytes: 64 * KIB, density: 1 });
        if (disk.fileName === 'missing') throw new ProblemError('DiskFileMissing', 'missing');
        return { ...syntheticReader(built), virtualSizeBytes: disk.virtualSizeBytes };
      },
      [Symbol.asyncDispose]: async () => {},
    };
  }
}
