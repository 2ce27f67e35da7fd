import type { Assignment, TransferOutcome, TransferProgress, TransferRun } from '../../api/transfer-protocol.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { SourceRelay } from '../../ports/source-relay.ts';
import type { UploadTicket } from '../../ports/upload.ts';

/**
 * What the endpoint asks the controller for, and tells it. Everything about a run throws `TransferSuperseded` once another epoch is the current one, whenever that is noticed; other problems
 * of the controller's own (`ClusterUnreachable`, ...) are answered so that the worker asks again.
 */
export interface TransferDesk {
  /**
   * The run that may write now; undefined when there is no such transfer. A desk that does not know yet, because it has just started, throws instead.
   */
  findTransfer(id: string, options?: CallOptions): Promise<CurrentRun | undefined>;
  /**
   * Whether this Pod is the one that the run's Job made: by its uid, since a name can be taken by others. Asked once for a worker and then again now and then, so it may ask the
   * cluster.
   */
  isWorker(run: TransferRun, worker: WorkerIdentity, options?: CallOptions): Promise<boolean>;
  readAssignment(run: TransferRun, options?: CallOptions): Promise<Assignment>;
  /** The account stays behind it. Asked only when the assignment says `relay`; disposed by the endpoint. */
  openRelay(run: TransferRun, options?: CallOptions): Promise<SourceRelay>;
  loadCheckpoint(run: TransferRun, options?: CallOptions): Promise<Uint8Array | undefined>;
  /** Returns once it is stored. */
  saveCheckpoint(run: TransferRun, checkpoint: StoredCheckpoint, options?: CallOptions): Promise<void>;
  /** Returns once it is gone: what was written counts for nothing any more. */
  removeCheckpoint(run: TransferRun, options?: CallOptions): Promise<void>;
  /** Whether what this run serves or sends has arrived, so that nobody needs it any more. */
  isTaken(run: TransferRun, options?: CallOptions): Promise<boolean>;
  /** Where this run may send its disk now; undefined while nobody would take it. Another one each time. */
  readUpload(run: TransferRun, options?: CallOptions): Promise<UploadTicket | undefined>;
  /** Comes every few seconds; kept in memory, not written for each. */
  reportProgress(run: TransferRun, progress: TransferProgress, worker: WorkerIdentity): void;
  /** Returns once it is stored. May come again when an answer was lost. */
  reportOutcome(run: TransferRun, outcome: TransferOutcome, options?: CallOptions): Promise<void>;
}

export interface CurrentRun {
  readonly epoch: number;
  /** Of the import, and so of its workers. */
  readonly namespace: string;
}

export interface StoredCheckpoint {
  readonly bytes: Uint8Array;
  /** Bytes of the disk that it vouches for. */
  readonly doneBytes: number;
}

/** Who a token belongs to, as the cluster says. */
export interface WorkerIdentity {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly podName: string;
  readonly podUid: string;
  /** Absent on clusters before 1.32. */
  readonly node?: string | undefined;
}

/** What a review of a token says; undefined for one that is nobody's: expired, revoked, of another cluster, of a Pod that is gone. */
export type ReviewToken = (token: string, options?: CallOptions) => Promise<ReviewedToken | undefined>;

export interface ReviewedToken {
  /** Those that both the reviewer asked for and the token has. */
  readonly audiences: readonly string[];
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Absent for a token that is not bound to a Pod. */
  readonly podName?: string | undefined;
  readonly podUid?: string | undefined;
  readonly node?: string | undefined;
}
