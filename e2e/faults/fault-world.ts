import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { importMachine } from '../../src/app/import-machine.ts';
import { noPaint } from '../../src/cli/io.ts';
import { runCli } from '../../src/cli/run-cli.ts';
import { type ProblemCode, ProblemError } from '../../src/domain/problems.ts';
import { FairSlots } from '../../src/lib/fair-slots.ts';
import { createDataPlane } from '../../src/main/data-plane.ts';
import { services } from '../../src/main/services.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Storage } from '../../src/ports/storage.ts';
import type { DataPlane, DiskProgress } from '../../src/ports/transfer.ts';
import { openOvaSource } from '../../src/sources/ova/open-ova-source.ts';
import { openDirTarget } from '../../src/targets/dir/dir-target.ts';
import { nodeStorage } from '../../src/targets/dir/node-storage.ts';
import { ActiveFaults } from '../../src/testing/faults/fault-plan.ts';
import type { ImageFault } from '../../src/testing/faults/faulty-image-file.ts';
import { type FaultyStorage, faultyStorage, type StorageFault } from '../../src/testing/faults/faulty-storage.ts';
import { HttpFileServer } from '../../src/testing/http-file-server.ts';
import { LossyStorage } from '../../src/testing/lossy-storage.ts';
import { CaseClock, fastClock } from './case-clock.ts';
import type { FaultSample } from './fault-sample.ts';
import { diskFileOf, openSpoiltSource, type SourceKind, servedFile } from './source-kinds.ts';
import type { TargetKind } from './target-kinds.ts';

/** Five seconds, after which a checkpoint is due, pass in a twentieth of one. */
const SPEED = 100;
/** Real time, in which a server of this machine surely answers. */
const STALL_MS = 700;
/** Of one import. What takes longer is told to stop, and that is a hang already. */
const HANG_MS = 20_000;
const GIVE_UP_MS = 30_000;

const clock = new CaseClock(fastClock(SPEED));
/** One for all cases, as in a process that imports many machines: what one case leaves behind the next one meets. */
const dataPlane = createDataPlane(clock);
const diskSlots = new FairSlots(4);

export interface CaseRun {
  readonly exitCode: number;
  /** Of the first error or blocker that was told. */
  readonly code: ProblemCode | undefined;
  readonly output: string;
}

export interface WorldOptions {
  readonly sample: FaultSample;
  readonly source: SourceKind;
  /** What the source's `write` returned. */
  readonly sourcePath: string;
  readonly target: TargetKind;
  /** Of this case alone. */
  readonly folder: string;
  readonly losesPower: boolean;
  /** Has what is done to the storage counted. */
  readonly isCounted?: boolean;
}

/** One import's surroundings: its source, its target, and whatever is wrong with them. The command line runs here as in its own process, on the services of the product. */
export class FaultWorld implements AsyncDisposable {
  readonly options: WorldOptions;
  /** Length of the file that holds the disk, as places of faults count. */
  readonly sourceBytes: number;
  readonly lossy: LossyStorage | undefined;
  readonly server: HttpFileServer | undefined;
  readonly out: string;
  imageFaults: ActiveFaults<ImageFault> | undefined;
  storageFaults: ActiveFaults<StorageFault> = new ActiveFaults([]);
  /** The storage of the last run. */
  storage: FaultyStorage | undefined;
  spoilClock: (clock: Clock) => Clock = (each) => each;
  /** Called when plans are made and the import begins. */
  onImport: () => void = () => {};
  onProgress: (progress: DiskProgress) => void = () => {};
  hasStruck = false;
  #stop = new AbortController();
  readonly #atEnd: (() => void)[] = [];

  private constructor(options: WorldOptions, server: HttpFileServer | undefined) {
    this.options = options;
    this.server = server;
    this.sourceBytes = diskFileOf(options.sourcePath).bytes;
    this.lossy = options.losesPower ? new LossyStorage() : undefined;
    this.out = options.losesPower ? '/out' : outOf(options.folder);
  }

  static async open(options: WorldOptions): Promise<FaultWorld> {
    const { source, sourcePath, target, folder, sample } = options;
    target.prepare?.(outOf(folder), sample);
    if (source.access === 'local') return new FaultWorld(options, undefined);
    const server = await HttpFileServer.start({ files: servedFile(sourcePath) });
    const world = new FaultWorld(options, server);
    world.mendSource();
    return world;
  }

  /** Ends the import as Ctrl-C does. */
  stop(): void {
    this.hasStruck = true;
    this.#stop.abort(new ProblemError('Interrupted', 'stopped by the test'));
  }

  /** To be done when the case is over. */
  atEnd(act: () => void): void {
    this.#atEnd.push(act);
  }

  mendSource(): void {
    if (this.server === undefined) return;
    this.hasStruck ||= this.server.struck > 0;
    this.server.faults = this.options.source.access === 'forward' ? { ignoresRanges: true } : {};
    this.server.etag = '"first"';
    this.server.beforeRequest = undefined;
  }

  /** From here on nothing is wrong any more. */
  mend(): void {
    this.mendSource();
    this.hasStruck ||= [this.imageFaults, this.storageFaults].some((each) => (each?.struck.length ?? 0) > 0);
    this.imageFaults = undefined;
    this.storageFaults = new ActiveFaults([]);
    this.spoilClock = (each) => each;
    this.onImport = () => {};
    this.onProgress = () => {};
  }

  /** Runs the command once. @throws Error when it does not end by itself */
  async run(...flags: string[]): Promise<CaseRun> {
    const { sourcePath, target } = this.options;
    const location = this.server?.url(`/${basename(sourcePath)}`) ?? sourcePath;
    const output: string[] = [];
    const say = (text: string) => void output.push(text);
    const io = {
      print: say,
      note: say,
      complain: say,
      draw: () => {},
      isTerminal: false,
      columns: 500,
      paint: noPaint,
    };
    this.#stop = new AbortController();
    clock.current = this.spoilClock(fastClock(SPEED));
    let isHanging = false;
    const hang = setTimeout(() => {
      isHanging = true;
      this.#stop.abort(new ProblemError('Interrupted', 'the test waited long enough'));
    }, HANG_MS);
    const command = runCli(['import', location, '--to', target.url(this.out), '--yes', ...flags], {
      services: this.#services(),
      io,
      clock,
      signal: this.#stop.signal,
      isDebug: true,
    });
    const exitCode = await withinMs(GIVE_UP_MS, command);
    clearTimeout(hang);
    const text = output.join('\n');
    if (isHanging || exitCode === undefined) {
      throw new Error(`HANG: ${exitCode === undefined ? 'it does not even stop' : `${HANG_MS} ms are over`}\n${text}`);
    }
    const code = /^(?:error|blocker) +([A-Z]\w+):/m.exec(text)?.[1] as ProblemCode | undefined;
    return { exitCode, code, output: text };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server?.[Symbol.asyncDispose]();
    for (const act of this.#atEnd) act();
  }

  #services(): typeof services {
    const base: Storage = this.lossy ?? nodeStorage;
    // On the real storage without faults nothing stands between, so that lanes write themselves.
    const { isCounted = false } = this.options;
    const isPlain = this.lossy === undefined && !this.storageFaults.isPlanned && !isCounted;
    this.storage = isPlain ? undefined : faultyStorage(base, { faults: this.storageFaults, clock });
    const storage = this.storage ?? base;
    return {
      ...services,
      openSource: async (location, options) =>
        this.imageFaults === undefined
          ? await openOvaSource({ location, ...options, clock, stallMs: STALL_MS, random: () => 0.5 })
          : await openSpoiltSource(location, { faults: this.imageFaults, clock }),
      openTarget: async (url) =>
        url.dir === undefined ? await services.openTarget(url) : await openDirTarget({ ...url.dir, storage }),
      importMachine: async (source, target, plan, options) => {
        this.onImport();
        const parts = { dataPlane: this.#dataPlane(), clock, airliftVersion: '0.0.0', diskSlots };
        return await importMachine(parts, source, target, plan, options);
      },
    };
  }

  #dataPlane(): DataPlane {
    return {
      ...dataPlane,
      transferDisk: async (reader, options) =>
        await dataPlane.transferDisk(reader, {
          ...options,
          onProgress: (progress) => {
            this.onProgress(progress);
            options.onProgress?.(progress);
          },
        }),
    };
  }

  /** What lies in a folder of the target; undefined without one. */
  async listFolder(folder: string): Promise<string[] | undefined> {
    const storage: Storage = this.lossy ?? nodeStorage;
    if (this.lossy === undefined && !existsSync(folder)) return undefined;
    return (await storage.exists(folder)) ? (await storage.openFolder(folder).listFiles()).toSorted() : undefined;
  }
}

function outOf(folder: string): string {
  return join(folder, 'out');
}

async function withinMs<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([work, over]);
  } finally {
    clearTimeout(timer);
  }
}
