import type { Container, Job, PodSpec, PodVolume } from '../../../api/core-kinds.ts';
import { TOKEN_AUDIENCE } from '../../../api/literals.ts';
import type { OwnerReference } from '../../../domain/kubernetes-object.ts';
import { labelsOf, namesOf } from '../names.ts';
import type { DiskPlan } from '../plan-record.ts';

/** What all workers have in common, from the controller's configuration. */
export interface WorkerSettings {
  readonly image: string;
  /** Address of the controller's endpoint, as Pods reach it. */
  readonly endpointUrl: string;
  readonly resources: {
    readonly requests?: Readonly<Record<string, string>>;
    readonly limits?: Readonly<Record<string, string>>;
  };
  /** KubeVirt's own user, so that a disk it writes into is one that the machine may open. */
  readonly userId: number;
  readonly imagePullSecrets?: readonly string[];
  readonly priorityClassName?: string | undefined;
  readonly nodeSelector?: Readonly<Record<string, string>>;
  /** Where the runtime gives block devices to root only: root, without any privilege (test-cluster.md section 2). */
  readonly isRootAllowed?: boolean;
}

export interface TransferJobFacts {
  readonly namespace: string;
  readonly owner: OwnerReference;
  readonly disk: DiskPlan;
  readonly epoch: number;
  /** The worker hands the disk out, to a downloader or to CDI, and has no volume. */
  readonly serves?: 'image' | 'upload' | undefined;
}

/** Where the worker finds things. The paths are ours: nothing else is in the container. */
const DEVICE_PATH = '/dev/disk0';
const MOUNT_PATH = '/disk';
const FILES_PATH = '/run/airlift';
/** On which a worker serves an image. */
export const IMAGE_PORT = 8444;
/** Key of the checkpoint's ConfigMap under which the endpoint's CA lies. */
export const CA_KEY = 'ca.crt';
/** A worker ends so when trying again would change nothing; the Job then fails at once. */
export const FINAL_EXIT_CODE = 40;
/** The kubelet renews it at 80 % of this. */
const TOKEN_SECONDS = 3600;
/** For the last checkpoint. */
const GRACE_SECONDS = 30;
/** Of a node that went away. Beyond any doubt: a taint of this kind evicts nothing of ours, we wait for the node (ruling 16). */
const TOLERATED = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];

/**
 * One run of one transfer. The Job makes one Pod and never a second one: starting again is our decision, under the next epoch, when it is certain that this Pod writes no more
 * (ruling 16). The Pod has no rights and no secret but a token for our endpoint (ruling 17), and runs under Pod Security "restricted".
 */
export function transferJob(facts: TransferJobFacts, settings: WorkerSettings): Job {
  const { namespace, owner, disk, epoch } = facts;
  const labels = labelsOf(owner.uid, { disk: disk.index, epoch });
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: namesOf(owner.uid).job(disk.index, epoch),
      namespace,
      labels,
      ownerReferences: [owner],
    },
    spec: {
      backoffLimit: 0,
      completions: 1,
      parallelism: 1,
      podReplacementPolicy: 'Failed',
      podFailurePolicy: {
        rules: [
          {
            action: 'FailJob',
            onExitCodes: { containerName: 'worker', operator: 'In', values: [FINAL_EXIT_CODE] },
          },
        ],
      },
      template: { metadata: { labels }, spec: podSpec(facts, settings) },
    },
  };
}

function podSpec({ owner, disk, epoch, serves }: TransferJobFacts, settings: WorkerSettings): PodSpec {
  const { imagePullSecrets = [], priorityClassName, nodeSelector } = settings;
  const hasVolume = serves === undefined;
  const isBlock = hasVolume && disk.volumeMode === 'Block';
  const names = namesOf(owner.uid);
  const user = settings.isRootAllowed ? 0 : settings.userId;
  const volumes: PodVolume[] = [
    ...(hasVolume ? [{ name: 'disk', persistentVolumeClaim: { claimName: disk.claimName } }] : []),
    {
      name: 'airlift',
      projected: {
        sources: [
          { serviceAccountToken: { audience: TOKEN_AUDIENCE, expirationSeconds: TOKEN_SECONDS, path: 'token' } },
          { configMap: { name: names.checkpoint(disk.index), items: [{ key: CA_KEY, path: CA_KEY }] } },
        ],
      },
    },
  ];
  const worker: Container = {
    name: 'worker',
    image: settings.image,
    imagePullPolicy: 'IfNotPresent',
    args: ['transfer-worker'],
    env: [
      { name: 'AIRLIFT_ENDPOINT', value: settings.endpointUrl },
      { name: 'AIRLIFT_ENDPOINT_CA', value: `${FILES_PATH}/${CA_KEY}` },
      { name: 'AIRLIFT_TOKEN_FILE', value: `${FILES_PATH}/token` },
      { name: 'AIRLIFT_TRANSFER', value: names.transfer(disk.index) },
      { name: 'AIRLIFT_EPOCH', value: String(epoch) },
      ...(hasVolume ? [{ name: 'AIRLIFT_VOLUME', value: isBlock ? DEVICE_PATH : MOUNT_PATH }] : []),
    ],
    resources: settings.resources,
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [
      { name: 'airlift', mountPath: FILES_PATH, readOnly: true },
      ...(isBlock || !hasVolume ? [] : [{ name: 'disk', mountPath: MOUNT_PATH }]),
    ],
    ...(isBlock ? { volumeDevices: [{ name: 'disk', devicePath: DEVICE_PATH }] } : {}),
    ...(serves !== 'image' ? {} : { ports: [{ name: 'image', containerPort: IMAGE_PORT, protocol: 'TCP' }] }),
    terminationMessagePolicy: 'FallbackToLogsOnError',
  };
  return {
    containers: [worker],
    volumes,
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: GRACE_SECONDS,
    securityContext: {
      runAsUser: user,
      runAsGroup: user,
      ...(user === 0 ? {} : { runAsNonRoot: true }),
      fsGroup: settings.userId,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    tolerations: TOLERATED.map((key) => ({ key, operator: 'Exists', effect: 'NoExecute' })),
    ...(imagePullSecrets.length === 0 ? {} : { imagePullSecrets: imagePullSecrets.map((name) => ({ name })) }),
    ...(priorityClassName === undefined ? {} : { priorityClassName }),
    ...(nodeSelector === undefined ? {} : { nodeSelector }),
  };
}
