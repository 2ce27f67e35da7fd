import { availableParallelism } from 'node:os';
import { createDecodePiece } from '../formats/decode-piece.ts';
import { chooseInflate } from '../formats/inflate.ts';
import type { Clock } from '../ports/clock.ts';
import type { DataPlane } from '../ports/transfer.ts';
import { ByteBudget } from '../transfer/byte-budget.ts';
import { createFetchWindow } from '../transfer/fetch-window.ts';
import { ThreadLanes } from '../transfer/lanes/thread-lanes.ts';
import { loadLibcryptoHashes } from '../transfer/libcrypto-hashes.ts';
import { measureSource } from '../transfer/measure-rates.ts';
import { SlabPool } from '../transfer/slab-pool.ts';
import { type HashFactory, nodeHashes } from '../transfer/stored-digest.ts';
import { transferDisk } from '../transfer/transfer-disk.ts';
import { compareDisk } from '../transfer/verify-disk.ts';

/** Chosen once a process: libcrypto where the system has it, so that manifest digests continue after an interruption. */
export const hashes: HashFactory = loadLibcryptoHashes() ?? nodeHashes;
/** Chosen once a process; each lane chooses the same for itself. */
export const inflate = chooseInflate();

export interface DataPlaneOptions {
  /** Most threads that decode and write; chosen from the cores unless told. They become as many only while that brings more. */
  readonly lanes?: number | undefined;
  /** Start the threads now, so that they are there when the first bytes are. */
  readonly startsLanes?: boolean;
  /** Most connections to one server; 16 unless told. */
  readonly connections?: number | undefined;
}

/** Encoded bytes in memory, of all disks together. */
const WINDOW_BYTES = 24 * 1024 * 1024;
/** Lanes to begin with (ruling 9); more only while throughput grows. */
const FIRST_LANES = 4;
/** A lane takes some 13 MiB; with more of them an import would leave its 256 MiB. */
const MOST_LANES = 10;

/** The engine with everything that all disks of the process share: lanes, memory, connections. Disposing it ends the lanes. */
export function createDataPlane(clock: Clock, options: DataPlaneOptions = {}): DataPlane & AsyncDisposable {
  const { lanes: wanted = fromEnvironment('AIRLIFT_LANES'), connections = fromEnvironment('AIRLIFT_CONNECTIONS') } =
    options;
  // The cores that the container may use, where there is one: libuv reads its CPU limit.
  const cores = availableParallelism();
  const lanes = new ThreadLanes({
    entry: new URL(`./lane${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
    count: Math.min(FIRST_LANES, cores, wanted ?? cores),
    most: wanted ?? Math.min(MOST_LANES, cores),
  });
  if (options.startsLanes) lanes.start();
  const window = createFetchWindow({ clock, connections, pool: new SlabPool(new ByteBudget(WINDOW_BYTES)) });
  const decode = createDecodePiece(inflate.inflate);
  const parts = { decode, lanes, window, hashes, clock };
  return {
    transferDisk: (reader, options) => transferDisk(parts, reader, options),
    measureSource: (reader, options) => measureSource({ ...parts, random: Math.random }, reader, options),
    compareDisk: (reader, expected, options) => compareDisk(parts, reader, expected, options),
    [Symbol.asyncDispose]: () => lanes[Symbol.asyncDispose](),
  };
}

/** A whole number from 1 to 64; anything else counts as not set. */
function fromEnvironment(name: string): number | undefined {
  const value = Number(process.env[name]);
  return Number.isInteger(value) && value >= 1 && value <= 64 ? value : undefined;
}
