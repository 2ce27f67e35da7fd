import type { Assignment, TransferOutcome, TransferProgress, TransferRun } from '../api/transfer-protocol.ts';
import type {
  CurrentRun,
  ReviewedToken,
  StoredCheckpoint,
  TransferDesk,
  WorkerIdentity,
} from '../controller/endpoint/transfer-desk.ts';
import { ProblemError } from '../domain/problems.ts';
import type { SourceRelay } from '../ports/source-relay.ts';
import type { UploadTicket } from '../ports/upload.ts';

/** The controller, as far as the endpoint knows it: one transfer, kept in memory. Everything may be changed while workers run. */
export class FakeTransferDesk implements TransferDesk {
  readonly id: string;
  epoch = 1;
  namespace = 'team';
  /** Of the Pod that is the worker of the current epoch. */
  podUid = 'uid-1';
  assignment: Assignment;
  makeRelay: () => SourceRelay = () => {
    throw new Error('this transfer has no relay');
  };
  checkpoint: StoredCheckpoint | undefined;
  /** All that were stored. */
  readonly checkpoints: (StoredCheckpoint & TransferRun & { readonly atMs: number })[] = [];
  readonly progress: (TransferProgress & TransferRun & { readonly atMs: number })[] = [];
  readonly outcomes: (TransferOutcome & TransferRun)[] = [];
  /** Whether what is served or sent has arrived. */
  taken = false;
  makeTicket: () => UploadTicket | undefined = () => undefined;
  relaysOpened = 0;
  removals = 0;
  /** Thrown by everything while it is set. */
  problem: Error | undefined;
  /** Thrown by what stores a checkpoint while it is set. */
  storeProblem: Error | undefined;
  onProgress: (progress: TransferProgress) => void = () => {};

  constructor(id: string, assignment: Assignment) {
    this.id = id;
    this.assignment = assignment;
  }

  async findTransfer(id: string): Promise<CurrentRun | undefined> {
    this.#fail();
    return id === this.id ? { epoch: this.epoch, namespace: this.namespace } : undefined;
  }

  async isWorker(_run: TransferRun, { podUid }: WorkerIdentity): Promise<boolean> {
    this.#fail();
    return podUid === this.podUid;
  }

  async readAssignment(run: TransferRun): Promise<Assignment> {
    this.#check(run);
    return this.assignment;
  }

  async isTaken(run: TransferRun): Promise<boolean> {
    this.#check(run);
    return this.taken;
  }

  async readUpload(run: TransferRun): Promise<UploadTicket | undefined> {
    this.#check(run);
    return this.makeTicket();
  }

  async openRelay(run: TransferRun): Promise<SourceRelay> {
    this.#check(run);
    this.relaysOpened += 1;
    return this.makeRelay();
  }

  async loadCheckpoint(run: TransferRun): Promise<Uint8Array | undefined> {
    this.#check(run);
    return this.checkpoint?.bytes;
  }

  async saveCheckpoint(run: TransferRun, checkpoint: StoredCheckpoint): Promise<void> {
    if (this.storeProblem !== undefined) throw this.storeProblem;
    this.#check(run);
    this.checkpoint = checkpoint;
    this.checkpoints.push({ ...run, ...checkpoint, atMs: performance.now() });
  }

  async removeCheckpoint(run: TransferRun): Promise<void> {
    this.#check(run);
    this.removals += 1;
    this.checkpoint = undefined;
  }

  reportProgress(run: TransferRun, progress: TransferProgress): void {
    this.#check(run);
    this.progress.push({ ...run, ...progress, atMs: performance.now() });
    this.onProgress(progress);
  }

  async reportOutcome(run: TransferRun, outcome: TransferOutcome): Promise<void> {
    this.#check(run);
    this.outcomes.push({ ...run, ...outcome });
  }

  #check({ epoch }: TransferRun): void {
    this.#fail();
    if (epoch !== this.epoch) throw new ProblemError('TransferSuperseded', `run ${epoch} is not the current one`);
  }

  #fail(): void {
    if (this.problem !== undefined) throw this.problem;
  }
}

/** Tokens and whose they are; everything else is nobody's. */
export function fakeReviews(tokens: Readonly<Record<string, Partial<ReviewedToken>>>) {
  const reviewed: string[] = [];
  return {
    /** In the order in which they were asked about. */
    reviewed,
    reviewToken: async (token: string): Promise<ReviewedToken | undefined> => {
      reviewed.push(token);
      const known = tokens[token];
      if (known === undefined) return undefined;
      return {
        audiences: ['airlift'],
        namespace: 'team',
        serviceAccount: 'default',
        podName: 'airlift-x-0-1-abcde',
        podUid: 'uid-1',
        ...known,
      };
    },
  };
}
