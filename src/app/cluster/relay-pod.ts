import { deploymentKind, type Pod, podKind } from '../../api/core-kinds.ts';
import { RELAY_PORT, RELAY_TUNNEL_PORT } from '../../api/file-relay.ts';
import { CONTROLLER_NAME, MANAGED_BY_LABEL } from '../../api/literals.ts';
import { isAirliftImage } from '../../domain/airlift-image.ts';
import { type ObjectRef, refOf } from '../../domain/kubernetes-object.ts';
import { isProblem, ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Cluster } from '../../ports/cluster.ts';
import { MADE_BY_CLI } from './import-wish.ts';
import { describeRelated } from './related-objects.ts';

export interface RelayFacts {
  /** Of the import that it serves. */
  readonly name: string;
  readonly namespace: string;
  readonly image: string;
}

export function relayName(importName: string): string {
  return `${importName}-file-relay`;
}

/** Under Pod Security "restricted"; it holds nothing, and needs nothing but to be reached. */
export function relayPod({ name, namespace, image }: RelayFacts): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: relayName(name), namespace, labels: { [MANAGED_BY_LABEL]: MADE_BY_CLI } },
    spec: {
      containers: [
        {
          name: 'file-relay',
          image,
          imagePullPolicy: 'IfNotPresent',
          args: ['file-relay'],
          ports: [
            { name: 'files', containerPort: RELAY_PORT, protocol: 'TCP' },
            { name: 'tunnel', containerPort: RELAY_TUNNEL_PORT, protocol: 'TCP' },
          ],
          // No readiness probe: each would be taken for somebody who asks for the file.
          startupProbe: { tcpSocket: { port: RELAY_PORT }, periodSeconds: 1, failureThreshold: 120 },
          resources: { requests: { cpu: '50m', memory: '64Mi' }, limits: { memory: '256Mi' } },
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
        },
      ],
      // It ends by itself when nobody brings the file any more, and shall stay ended.
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 1,
      securityContext: {
        runAsUser: 107,
        runAsGroup: 107,
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      },
    },
  };
}

export interface RunningRelay {
  readonly pod: ObjectRef;
  readonly address: string;
}

export interface StartRelayOptions extends CallOptions {
  /** Told what it waits for, when that changes. */
  readonly onWait?: (state: string) => void;
  /** Aborted when it has taken too long. */
  readonly patience: AbortSignal;
}

/**
 * The relay of this import, which may run already; one that has ended makes room for a new one. Returns once it is ready.
 * @throws ProblemError `RelayNotStarted`, and `ClusterObjectExists` for a Pod of that name that is somebody else's
 */
export async function startRelay(
  cluster: Cluster,
  facts: RelayFacts,
  { signal, onWait, patience }: StartRelayOptions,
): Promise<RunningRelay> {
  const wanted = relayPod(facts);
  const pod = refOf(wanted);
  const either = AbortSignal.any([patience, ...(signal === undefined ? [] : [signal])]);
  let state = 'Pending';
  let isThere = false;
  const make = async () => {
    await cluster.create(podKind, wanted, { signal });
    isThere = true;
  };
  try {
    const fields = { 'metadata.name': pod.name };
    for await (const event of cluster.watch(podKind, { namespace: facts.namespace, fields, signal: either })) {
      if (event.type === 'synced') {
        if (!isThere) await make();
        continue;
      }
      if (event.type === 'gone') {
        await make();
        continue;
      }
      isThere = true;
      const { metadata, status } = event.object;
      if (metadata.labels?.[MANAGED_BY_LABEL] !== MADE_BY_CLI)
        throw new ProblemError(
          'ClusterObjectExists',
          `Pod ${facts.namespace}/${pod.name} is there already, and somebody else made it`,
        );
      if (metadata.deletionTimestamp !== undefined) continue;
      if (status?.phase === 'Succeeded' || status?.phase === 'Failed') {
        await cluster.delete(podKind, pod, { signal, uid: metadata.uid });
        continue;
      }
      const isReady = status?.containerStatuses?.every(({ ready }) => ready) ?? false;
      if (isReady && status?.podIP) return { pod, address: status.podIP };
      const now = describeRelated(event.object).state;
      if (now !== state) onWait?.(now);
      state = now;
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (!patience.aborted) throw error;
  }
  signal?.throwIfAborted();
  throw new ProblemError('RelayNotStarted', `Pod ${facts.namespace}/${pod.name}: ${state}`);
}

/**
 * The image of the installed controller, as far as this user may see it. Harvester's own has the same name and may be there beside ours, but cannot take in a file.
 * @throws ProblemError `RelayImageUnknown`
 */
export async function findAirliftImage(cluster: Cluster, options: CallOptions = {}): Promise<string> {
  try {
    const fields = { 'metadata.name': CONTROLLER_NAME };
    for await (const { spec } of cluster.list(deploymentKind, { ...options, fields })) {
      const [container] = spec?.template?.spec?.containers ?? [];
      if (container?.image !== undefined && isAirliftImage(container.image)) return container.image;
    }
  } catch (cause) {
    if (!isProblem(cause, 'ClusterForbidden')) throw cause;
    throw new ProblemError('RelayImageUnknown', cause.message, { cause });
  }
  throw new ProblemError('RelayImageUnknown', `no Deployment "${CONTROLLER_NAME}" of Airlift is in the cluster`);
}
