import type { StoredVirtualMachineImport } from '../api/virtual-machine-import.ts';
import type { BenchOptions, BenchResult } from '../app/bench-transfer.ts';
import type { SourceWish } from '../app/cluster/import-wish.ts';
import type { OpenCluster } from '../app/cluster/open-cluster.ts';
import type { ImportMachineOptions, ImportOutcome } from '../app/import-parts.ts';
import type { ImportPlan } from '../app/import-plan.ts';
import type { MeasureLimits } from '../app/measure-for-plan.ts';
import type { PlanOptions } from '../app/plan-import.ts';
import type { OpenSource, OpenTarget } from '../app/platforms.ts';
import type { DiskVerification, VerifyOptions } from '../app/verify-report.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { LocalTargetUrl } from './target-url.ts';

/** What commands can do, handed in by main/. */
export interface Services {
  /**
   * To be called before anything is transferred: how much of this machine and of a server may be used. Threads are started meanwhile. Disposing ends them; transfers that come after
   * it are without these limits.
   */
  prepareTransfers(limits: TransferLimits): AsyncDisposable;
  openSource(location: string, options: SourceOptions & CallOptions): Promise<OpenSource>;
  openTarget(target: LocalTargetUrl): Promise<OpenTarget>;
  planImport(source: OpenSource, target: OpenTarget | undefined, options: PlanRequest): Promise<ImportPlan>;
  importMachine(
    source: OpenSource,
    target: OpenTarget,
    plan: ImportPlan,
    options: ImportMachineOptions,
  ): Promise<ImportOutcome>;
  benchTransfer(source: OpenSource, target: OpenTarget, options: BenchOptions): Promise<BenchResult>;
  verifyReport(path: string, options: VerifyOptions): Promise<readonly DiskVerification[]>;
  /** @throws ProblemError `KubeconfigMissing`, `KubeconfigUnusable`, `KubeCredentialsFailed`; nothing is asked of the cluster yet */
  openCluster(options: ClusterOptions & CallOptions): Promise<OpenCluster>;
  /** @throws ProblemError `SourceNotFound`, `SourceKindUnsupported` */
  locateFile(location: string): Promise<LocalFile>;
  /**
   * Lets a cluster read a file of this machine for as long as it is open (docs/decisions/0015-import-to-kubevirt.md).
   * @throws ProblemError `RelayImageUnknown`, `RelayNotStarted`, those of the cluster
   */
  openUpload(open: OpenCluster, options: UploadOptions & CallOptions): Promise<OpenUpload>;
  versions(): Readonly<Record<string, string>>;
  /** A small text file such as a CA; problems are SourceNotFound and SourceForbidden. */
  readTextFile(path: string): Promise<string>;
  /** All that is given to standard input, as text. */
  readInput(options?: CallOptions): Promise<string>;
  /** AIRLIFT_PASSWORD. */
  readonly passwordFromEnvironment: string | undefined;
}

/** `measure`: also measure source and target for that long, to say how long the import will take. */
export type PlanRequest = Omit<PlanOptions, 'measure'> & { readonly measure?: MeasureLimits | undefined };

/** Chosen by itself where it is not told. */
export interface TransferLimits {
  /** Threads that decode, hash and write. */
  readonly lanes?: number | undefined;
  /** Most connections to one server. */
  readonly connections?: number | undefined;
}

/** Which cluster is meant; by the rules of kubectl where nothing is told. */
export interface ClusterOptions {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  /** Instead of the context's own. */
  readonly namespace?: string | undefined;
}

export interface LocalFile {
  readonly folder: string;
  readonly fileName: string;
  /** Which file of which machine, in full: the same file is known again by it. */
  readonly origin: string;
}

export interface UploadOptions {
  readonly file: LocalFile;
  /** What lies beside a descriptor and is read as well. */
  readonly diskFiles: readonly string[];
  /** Of the import. */
  readonly name: string;
  readonly namespace: string;
  /** Of the relay; the installed controller's unless told. */
  readonly image: string | undefined;
  readonly onRemark: (remark: string) => void;
}

export interface OpenUpload extends AsyncDisposable {
  /** Where the cluster reads the file. */
  readonly source: SourceWish;
  /** Rejects when nobody can read it any more; never resolves. */
  readonly lost: Promise<never>;
  /** From now on the relay goes with this import. */
  adopt(machineImport: StoredVirtualMachineImport): Promise<void>;
  /** Ends the relay; without this it waits for the same command to be run again. */
  remove(): Promise<void>;
}

/** How to reach and trust a source. Secrets are values here, already read from where they lie. */
export interface SourceOptions {
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly caPem?: string | undefined;
  readonly insecure?: boolean | undefined;
  readonly deployment?: string | undefined;
  readonly signatureCaPem?: readonly string[] | undefined;
}
