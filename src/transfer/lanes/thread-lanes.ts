import { Worker } from 'node:worker_threads';
import { BLOCK_BYTES } from '../../domain/digest-layout.ts';
import type { LaneDisk, LaneJob, LaneResult } from './lane-job.ts';
import { type LaneAnswer, type LaneRequest, unpackFailure } from './lane-message.ts';
import type { LanePool, LaneSession } from './lane-pool.ts';
import { LaneTuner } from './lane-tuner.ts';

/** Jobs at a lane at once: the one it does, and the next one, so that it never waits for a message. */
const JOBS_PER_LANE = 2;

export interface ThreadLanesOptions {
  /** The script that calls `serveLane`. */
  readonly entry: URL;
  /** Lanes to begin with. */
  readonly count: number;
  /** Lanes there may be while each one more brings more; as many as at first unless told. */
  readonly most?: number | undefined;
}

/**
 * Lanes as worker threads, started when there is work for them and kept until disposed; idle ones do not keep the process alive. Jobs of several disks are handed out in turn,
 * one of each.
 */
export class ThreadLanes implements LanePool, AsyncDisposable {
  readonly #entry: URL;
  readonly #tuner: LaneTuner;
  readonly #lanes: Lane[] = [];
  /** In the order in which they get their next turn. */
  readonly #queues: DiskQueue[] = [];
  #nextDisk = 0;

  constructor({ entry, count, most = count }: ThreadLanesOptions) {
    this.#entry = entry;
    this.#tuner = new LaneTuner({ first: count, most, now: () => performance.now() });
  }

  get count(): number {
    return this.#tuner.count;
  }

  get jobsAhead(): number {
    return this.count * JOBS_PER_LANE + 1;
  }

  /** Starts the lanes before there is work for them. */
  start(): void {
    while (this.#lanes.length < this.count) this.#addLane();
  }

  openDisk(disk: LaneDisk): LaneSession {
    const number = this.#nextDisk;
    this.#nextDisk += 1;
    const queue: DiskQueue = { number, disk, waiting: [] };
    this.#queues.push(queue);
    const running = new Set<Promise<LaneResult>>();
    return {
      run: (job) => {
        const { promise, resolve, reject } = Promise.withResolvers<LaneResult>();
        queue.waiting.push({ job, resolve, reject });
        const forget = () => void running.delete(promise);
        promise.then(forget, forget);
        running.add(promise);
        this.#handOut();
        return promise;
      },
      [Symbol.asyncDispose]: async () => {
        for (const { reject } of queue.waiting.splice(0)) reject(new Error('the disk was closed before this job'));
        await Promise.allSettled(running);
        this.#queues.splice(this.#queues.indexOf(queue), 1);
        for (const lane of this.#lanes) lane.close(number);
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#lanes.splice(0).map((lane) => lane.stop()));
  }

  #handOut(): void {
    while (true) {
      const queue = this.#queues.find(({ waiting }) => waiting.length > 0);
      if (queue === undefined) return;
      const lane = this.#freeLane();
      const work = lane && queue.waiting.shift();
      if (lane === undefined || work === undefined) return;
      // To the back: the others come first the next time.
      this.#queues.push(...this.#queues.splice(this.#queues.indexOf(queue), 1));
      lane.run(queue, work);
    }
  }

  #addLane(): Lane {
    const lane = new Lane(this.#entry, (done) => {
      if (done === 'gone') this.#forget(lane);
      else if (done !== 'failed') this.#tuner.done(done.blocks.length * BLOCK_BYTES, this.#hasWaiting);
      // The one that has just become free is as good as any.
      if (this.#lanes.length > this.count && lane.jobs === 0) {
        this.#forget(lane);
        void lane.stop();
      }
      this.#handOut();
    });
    this.#lanes.push(lane);
    return lane;
  }

  get #hasWaiting(): boolean {
    return this.#queues.some(({ waiting }) => waiting.length > 0);
  }

  #forget(lane: Lane): void {
    const index = this.#lanes.indexOf(lane);
    if (index >= 0) this.#lanes.splice(index, 1);
  }

  /** The least busy lane; a new one rather than a second job for an old one. */
  #freeLane(): Lane | undefined {
    const [least] = this.#lanes.toSorted((one, other) => one.jobs - other.jobs);
    if (least !== undefined && least.jobs === 0) return least;
    if (this.#lanes.length < this.count) return this.#addLane();
    return least !== undefined && least.jobs < JOBS_PER_LANE ? least : undefined;
  }
}

/** What became of a job, or of the whole lane. */
type Done = LaneResult | 'failed' | 'gone';

interface Work {
  readonly job: LaneJob;
  resolve(result: LaneResult): void;
  reject(error: unknown): void;
}

interface DiskQueue {
  readonly number: number;
  readonly disk: LaneDisk;
  readonly waiting: Work[];
}

/** The young generation small and the heap bounded: a lane's data lies outside of its heap. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 64 };

class Lane {
  readonly #worker: Worker;
  readonly #onDone: (done: Done) => void;
  readonly #running = new Map<number, Work>();
  readonly #disks = new Set<number>();
  readonly #gone: Promise<void>;
  #nextJob = 0;

  constructor(entry: URL, onDone: (done: Done) => void) {
    this.#onDone = onDone;
    this.#worker = new Worker(entry, { resourceLimits: RESOURCE_LIMITS });
    this.#worker.on('message', (answer: LaneAnswer) => this.#take(answer));
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', (code) => this.#fail(new Error(`a lane ended with ${code}`)));
    this.#gone = new Promise((resolve) => this.#worker.once('exit', () => resolve()));
    // After the listeners: each new one would make it keep the process alive again.
    this.#worker.unref();
  }

  get jobs(): number {
    return this.#running.size;
  }

  run({ number, disk }: DiskQueue, work: Work): void {
    if (!this.#disks.has(number)) {
      this.#disks.add(number);
      this.#send({ open: disk, disk: number });
    }
    const id = this.#nextJob;
    this.#nextJob += 1;
    if (this.#running.size === 0) this.#worker.ref();
    this.#running.set(id, work);
    this.#send({ job: work.job, disk: number, id });
  }

  close(number: number): void {
    if (this.#disks.delete(number)) this.#send({ close: true, disk: number });
  }

  /** Lets it end by itself: a thread that is cut off while it loads a library takes the process along. */
  async stop(): Promise<void> {
    this.#worker.ref();
    this.#send({ stop: true });
    await this.#gone;
  }

  #send(request: LaneRequest): void {
    this.#worker.postMessage(request);
  }

  #take(answer: LaneAnswer): void {
    if ('ready' in answer) return;
    const work = this.#running.get(answer.id);
    this.#running.delete(answer.id);
    if (this.#running.size === 0) this.#worker.unref();
    if ('failure' in answer) {
      work?.reject(unpackFailure(answer.failure));
      this.#onDone('failed');
    } else {
      work?.resolve(answer.result);
      this.#onDone(answer.result);
    }
  }

  /** A lane that dies takes its jobs along; no job is done twice, because nobody knows how far it came. */
  #fail(error: Error): void {
    const running = [...this.#running.values()];
    this.#running.clear();
    for (const work of running) work.reject(error);
    this.#onDone('gone');
  }
}
