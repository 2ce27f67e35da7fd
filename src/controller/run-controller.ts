import { randomBytes } from 'node:crypto';
import { leadWhileElected } from '../kube/leader-election.ts';
import { EventRecorder } from '../kube/record-event.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Clock } from '../ports/clock.ts';
import type { Cluster } from '../ports/cluster.ts';
import type { Log } from '../ports/log.ts';
import type { SourceAdapter } from '../ports/source-adapter.ts';
import { ImageEndpoint } from './endpoint/image-endpoint.ts';
import { reviewTokenBy } from './endpoint/review-token.ts';
import { WorkerEndpoint } from './endpoint/worker-endpoint.ts';
import { loadEndpointCertificate } from './endpoint-secret.ts';
import { findImageBy } from './find-image.ts';
import { ImportController } from './import-controller.ts';
import type { ControllerSettings } from './settings.ts';

export interface ControllerParts {
  readonly cluster: Cluster;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly adapters: readonly SourceAdapter[];
  readonly airliftVersion: string;
}

/** How often the endpoint's certificate is looked at. */
const CERTIFICATE_MS = 12 * 3600 * 1000;

/**
 * The controller: waits until it leads, serves workers, looks after sources and imports, and stops cleanly when told to.
 * @throws ProblemError `LeadershipLost`, and what ends a watch for good
 */
export async function runController(
  parts: ControllerParts,
  settings: ControllerSettings,
  options: CallOptions = {},
): Promise<void> {
  const { cluster, clock, random, log } = parts;
  await leadWhileElected(
    {
      cluster,
      clock,
      random,
      lease: { namespace: settings.namespace, name: settings.leaseName },
      identity: settings.identity,
      onChange: (change) =>
        log.info('leadership', { ...change, ...('error' in change ? { error: String(change.error) } : {}) }),
    },
    async ({ signal }) => await lead(parts, settings, { signal }),
    options,
  );
}

async function lead(parts: ControllerParts, settings: ControllerSettings, { signal }: CallOptions): Promise<void> {
  const { cluster, clock, random, log, adapters } = parts;
  const secret = {
    cluster,
    namespace: settings.namespace,
    name: settings.endpoint.secretName,
    names: settings.endpoint.names,
    now: () => clock.now(),
  };
  let certificate = await loadEndpointCertificate(secret, { signal });
  const events = new EventRecorder({
    cluster,
    clock,
    component: 'airlift-controller',
    instance: settings.identity,
    onDropped: (event, why) => log.warn('event dropped', { reason: event.reason, why: String(why) }),
  });
  const imports = new ImportController({
    cluster,
    clock,
    random,
    log,
    adapters,
    events,
    worker: settings.worker,
    airliftVersion: parts.airliftVersion,
    images: settings.images && { baseUrl: settings.images.baseUrl, createToken: createImageToken },
    limits: settings.limits,
    endpointCa: () => certificate.caPem,
  });
  await using endpoint = await WorkerEndpoint.start({
    desk: imports.desk,
    reviewToken: reviewTokenBy(cluster),
    certificate,
    clock,
    log,
    port: settings.endpoint.port,
    host: settings.endpoint.host,
  });
  await using _images = settings.images && (await startImageEndpoint(settings.images, settings, imports, log));
  log.info('leading', { endpoint: settings.worker.endpointUrl, port: endpoint.port });
  const renewing = (async () => {
    while (true) {
      await clock.delay(CERTIFICATE_MS, { signal });
      certificate = await loadEndpointCertificate(secret, { signal });
      endpoint.setCertificate(certificate);
    }
  })();
  // Waited for below, whatever ends first.
  renewing.catch(() => {});
  try {
    await Promise.race([imports.run({ signal }), renewing]);
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  } finally {
    await Promise.allSettled([renewing, events.flush()]);
    log.info('stopped');
  }
}

/** 192 bits: whoever has one may download that disk. */
function createImageToken(): string {
  return randomBytes(24).toString('base64url');
}

async function startImageEndpoint(
  { port }: NonNullable<ControllerSettings['images']>,
  { endpoint: { host } }: ControllerSettings,
  { parts, objects }: ImportController,
  log: Log,
): Promise<ImageEndpoint> {
  const findImage = findImageBy({
    parts,
    importOf: (uid) => objects.importOf(uid),
    isSynced: () => objects.isSynced,
  });
  return await ImageEndpoint.start({ findImage, log, port, host });
}
