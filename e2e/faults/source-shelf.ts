import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { CountStorage } from '../../src/testing/faults/faulty-storage.ts';
import { temporaryFolder } from '../support.ts';
import type { FaultCase } from './fault-cases.ts';
import { buildFaultSample, type FaultSample } from './fault-sample.ts';
import { FaultWorld } from './fault-world.ts';
import { rememberSource } from './source-copies.ts';
import { diskFileOf, type SourceKind, sourceKinds } from './source-kinds.ts';

type Pair = Pick<FaultCase, 'source' | 'target'>;

const countNothing: CountStorage = () => ({ operations: 0, bytes: 0 });

/** The sample and all its sources, and what an import of each does to a storage, which is counted when first asked for. */
export class SourceShelf implements Disposable {
  readonly sample: FaultSample;
  readonly #paths: ReadonlyMap<SourceKind, string>;
  readonly #counts = new Map<string, CountStorage>();

  private constructor(sample: FaultSample) {
    this.sample = sample;
    this.#paths = new Map(sourceKinds.map((source, index) => [source, placeSource(source, sample, String(index))]));
  }

  static async open(seed: number): Promise<SourceShelf> {
    return new SourceShelf(await buildFaultSample(seed));
  }

  /** @param folder of this import alone */
  async openWorld(
    { source, target }: Pair,
    folder: string,
    options: { readonly losesPower?: boolean; readonly isCounted?: boolean } = {},
  ): Promise<FaultWorld> {
    const sourcePath = this.#paths.get(source);
    if (sourcePath === undefined) throw new TypeError(`nobody wrote ${source.name}`);
    const { losesPower = false, isCounted = false } = options;
    return await FaultWorld.open({ sample: this.sample, source, sourcePath, target, folder, losesPower, isCounted });
  }

  /** What an import without faults does to the storage. @throws Error when even that does not end well */
  async countOf({ source, target }: Pair): Promise<CountStorage> {
    if (!target.hasStorage) return countNothing;
    const key = `${source.name} to ${target.name}`;
    const known = this.#counts.get(key);
    if (known !== undefined) return known;
    using folder = temporaryFolder();
    await using world = await this.openWorld({ source, target }, folder.path, { isCounted: true });
    const { exitCode, output } = await world.run();
    const count = world.storage?.count;
    if (exitCode !== 0 || count === undefined) throw new Error(`${key} does not work without any fault:\n${output}`);
    this.#counts.set(key, count);
    return count;
  }

  [Symbol.dispose](): void {
    this.sample[Symbol.dispose]();
  }
}

function placeSource(source: SourceKind, sample: FaultSample, name: string): string {
  const folder = join(sample.folder, name);
  mkdirSync(folder);
  const path = source.write(sample, folder);
  rememberSource(diskFileOf(path).path);
  return path;
}
