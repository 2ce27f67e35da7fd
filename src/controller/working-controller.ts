import { randomBytes } from 'node:crypto';
import type { ProblemError } from '../domain/problems.ts';
import { isSourceProblem } from '../domain/source-problems.ts';
import type { EventRecorder } from '../kube/record-event.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { ControllerParts } from './controller-parts.ts';
import { ImageEndpoint } from './endpoint/image-endpoint.ts';
import { reviewTokenBy } from './endpoint/review-token.ts';
import { WorkerEndpoint } from './endpoint/worker-endpoint.ts';
import { type EndpointSecretOptions, loadEndpointCertificate } from './endpoint-secret.ts';
import { findImageBy } from './find-image.ts';
import { ImportController } from './import-controller.ts';
import type { ControllerSettings } from './settings.ts';
import { SourceController } from './sources/source-controller.ts';

export interface WorkingOptions {
  readonly events: Pick<EventRecorder, 'record'>;
  /** What the cluster does not let us do, where the rest goes on without it. */
  readonly onRefusal: (problem: ProblemError) => void;
}

/** How often the endpoint's certificate is looked at. */
const CERTIFICATE_MS = 12 * 3600 * 1000;

/** All that works while this process leads: sources, imports, and the servers for workers and for those who download images. */
export class WorkingController implements AsyncDisposable {
  readonly imports: ImportController;
  readonly sources: SourceController;
  readonly #servers: AsyncDisposableStack;
  readonly #renewCertificate: (options: CallOptions) => Promise<never>;

  private constructor(
    imports: ImportController,
    sources: SourceController,
    servers: AsyncDisposableStack,
    renewCertificate: (options: CallOptions) => Promise<never>,
  ) {
    this.imports = imports;
    this.sources = sources;
    this.#servers = servers;
    this.#renewCertificate = renewCertificate;
  }

  /** Serves once it returns. */
  static async start(
    parts: ControllerParts,
    settings: ControllerSettings,
    { events, onRefusal }: WorkingOptions,
    { signal }: CallOptions,
  ): Promise<WorkingController> {
    const { cluster, clock, random, log, metrics, adapters, airliftVersion } = parts;
    const { endpoint: place, worker, images, limits } = settings;
    const secret: EndpointSecretOptions = {
      cluster,
      namespace: settings.namespace,
      name: place.secretName,
      names: place.names,
      now: () => clock.now(),
    };
    let certificate = await loadEndpointCertificate(secret, { signal });
    const common = { cluster, clock, random, log, adapters, events };
    const onWatchRetry = (kind: string) => metrics.countWatchRetry(kind);
    const imports = new ImportController({
      ...common,
      worker,
      airliftVersion,
      images: images && { baseUrl: images.baseUrl, createToken: createImageToken },
      uploads: settings.uploads,
      limits,
      endpointCa: () => certificate.caPem,
      onWatchRetry,
      onOutcome: (outcome, { source }) => {
        metrics.countOutcome(outcome);
        if ('problem' in outcome && source !== undefined && isSourceProblem(outcome.problem.code))
          sources.doubt(source);
      },
      hooks: metrics.queueHooks('imports'),
    });
    const sources = new SourceController({
      ...common,
      onReady: (ref) => imports.lookAgain(ref),
      onRefusal,
      onWatchRetry,
      hooks: metrics.queueHooks('sources'),
    });
    await using servers = new AsyncDisposableStack();
    const endpoint = servers.use(
      await WorkerEndpoint.start({
        desk: imports.desk,
        reviewToken: reviewTokenBy(cluster),
        certificate,
        clock,
        log,
        port: place.port,
        host: place.host,
      }),
    );
    if (images !== undefined) {
      const { parts: importParts, objects } = imports;
      const findImage = findImageBy({
        parts: importParts,
        importOf: (uid) => objects.importOf(uid),
        isSynced: () => objects.isSynced,
      });
      servers.use(await ImageEndpoint.start({ findImage, log, port: images.port, host: place.host }));
    }
    log.info('leading', { endpoint: worker.endpointUrl, port: endpoint.port });
    const renewCertificate = async (call: CallOptions): Promise<never> => {
      while (true) {
        await clock.delay(CERTIFICATE_MS, call);
        certificate = await loadEndpointCertificate(secret, call);
        endpoint.setCertificate(certificate);
      }
    };
    return new WorkingController(imports, sources, servers.move(), renewCertificate);
  }

  get isSynced(): boolean {
    return this.imports.isSynced && this.sources.isSynced;
  }

  get queues(): readonly { readonly controller: string; readonly depth: number }[] {
    return [
      { controller: 'imports', depth: this.imports.depth },
      { controller: 'sources', depth: this.sources.depth },
    ];
  }

  /** Until aborted; what was begun is ended. @throws what ends a watch for good */
  async run({ signal }: CallOptions): Promise<void> {
    const stop = new AbortController();
    const call = { signal: signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]) };
    const running = [this.imports.run(call), this.sources.run(call), this.#renewCertificate(call)];
    try {
      await Promise.race(running);
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    } finally {
      stop.abort(new Error('a part of the controller has ended'));
      await Promise.allSettled(running);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#servers.disposeAsync();
  }
}

/** 192 bits: whoever has one may download that disk. */
function createImageToken(): string {
  return randomBytes(24).toString('base64url');
}
