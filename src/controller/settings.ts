import type { UploadSettings } from './machine-import/import-world.ts';
import type { WorkerSettings } from './machine-import/objects/transfer-job.ts';
import type { TransferLimits } from './transfer-slots.ts';

/** Everything that an installation decides about its controller. */
export interface ControllerSettings {
  /** Its own. */
  readonly namespace: string;
  /** Of this process; no other one has it, not even an earlier process of the same Pod. */
  readonly identity: string;
  readonly leaseName: string;
  /** For kubelet and Prometheus, on all addresses or the endpoint's. */
  readonly healthPort: number;
  /** How often it looks for the old controller, and for definitions of our kinds while they are not as they should be. */
  readonly lookEveryMs: number;
  /** Whether a source may name a Secret of another namespace. */
  readonly crossNamespaceSecrets: 'allow' | 'deny';
  readonly endpoint: {
    readonly port: number;
    /** Address to listen on; all unless given. */
    readonly host: string | undefined;
    /** What workers reach it by: goes into its certificate. */
    readonly names: readonly string[];
    readonly secretName: string;
  };
  /** Where images are served for those who import them; absent where none are. */
  readonly images?:
    | {
        readonly port: number;
        /** How they reach it. */
        readonly baseUrl: string;
      }
    | undefined;
  /** Where disks are sent to CDI; absent where none are. */
  readonly uploads?: UploadSettings | undefined;
  readonly worker: WorkerSettings;
  readonly limits: TransferLimits;
}
