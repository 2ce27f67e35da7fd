// The worker of one transfer, as the controller's Job starts it (docs/contracts/worker.md).
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { transferPath } from '../api/transfer-protocol.ts';
import { isProblem, ProblemError } from '../domain/problems.ts';
import { RateLimiter } from '../lib/rate-limiter.ts';
import { openOvaSource } from '../sources/ova/open-ova-source.ts';
import { DISK_FILE } from '../targets/block-pvc/folder-volume.ts';
import { decodeVolumeRecord } from '../targets/block-pvc/volume-record.ts';
import { openVolumeTarget } from '../targets/block-pvc/volume-target.ts';
import { openDeviceDisk } from '../targets/device/open-device-disk.ts';
import { decodeCheckpoint } from '../transfer/checkpoint.ts';
import { EndpointClient } from '../worker/endpoint-client.ts';
import { EndpointHttp } from '../worker/endpoint-http.ts';
import { EndpointLink } from '../worker/endpoint-link.ts';
import { exitCodes, runWorker, type WorkerEnd, type WorkerParts } from '../worker/run-worker.ts';
import { TokenFile } from '../worker/token-file.ts';
import { readEnvironment, type WorkerEnvironment } from '../worker/worker-environment.ts';
import { createDataPlane } from './data-plane.ts';
import { createJsonLog } from './json-log.ts';
import { openServedImage } from './open-served-image.ts';
import { isFolder, openVolume } from './open-volume.ts';
import { airliftVersion } from './package-version.ts';
import { systemClock } from './system-clock.ts';
import { uploadDisk } from './upload-disk.ts';

/** Read by the kubelet into the Pod's status; there in a container only. */
const TERMINATION_FILE = '/dev/termination-log';
/** After the signal to stop. Whatever hangs then, the checkpoints stored so far stand. */
const STOP_MS = 20_000;

const clock = systemClock;
const log = createJsonLog({
  name: 'transfer-worker',
  level: 'info',
  fields: { transfer: process.env.AIRLIFT_TRANSFER, epoch: process.env.AIRLIFT_EPOCH, version: airliftVersion },
});
await end(await main());

async function main(): Promise<WorkerEnd> {
  let environment: WorkerEnvironment;
  try {
    environment = readEnvironment(process.env);
  } catch (error) {
    if (!isProblem(error)) throw error;
    log.error('worker not started', { code: error.code, detail: error.message });
    return { exitCode: exitCodes.final, message: `${error.code}: ${error.message}` };
  }
  await using http = new EndpointHttp(environment.endpointUrl, () => readFile(environment.caFile, 'utf8'));
  return await runWorker(createParts(environment, http), { signal: stopSignal() });
}

function createParts(environment: WorkerEnvironment, { send }: EndpointHttp): WorkerParts {
  const { run, tokenFile, endpointUrl, caFile, volumePath, checkpointEveryMs } = environment;
  const link = new EndpointLink(clock, (isAway) => log.warn(isAway ? 'endpoint away' : 'endpoint back'));
  const token = new TokenFile(tokenFile, (path) => readFile(path, 'utf8'), clock);
  const client = new EndpointClient({ run, send, token, link, clock, random: Math.random, onCutOff });
  return {
    client,
    link,
    clock,
    checkpointEveryMs,
    log,
    createDataPlane: (options) => createDataPlane(clock, { ...options, startsLanes: true }),
    createRateLimiter: (bytesPerSecond) => new RateLimiter({ bytesPerSecond, clock }),
    copiedBytesOf(record) {
      const checkpoint = decodeVolumeRecord(record)?.checkpoint;
      return (checkpoint && decodeCheckpoint(checkpoint)?.copiedBytes) ?? 0;
    },
    async openSource(source, { signal, connections }) {
      if ('ova' in source) {
        const { url, ca, isInsecure, stallMs } = source.ova;
        const tls = { caPem: ca, insecure: isInsecure };
        return await openOvaSource({ location: url, ...tls, stallMs, maxConnections: connections, clock, signal });
      }
      const { path, stallMs } = source.relay;
      return await openOvaSource({
        location: `${endpointUrl}${transferPath(run)}/source/${encodeURIComponent(path)}`,
        caPem: await readFile(caFile, 'utf8'),
        authorize: () => token.authorization(),
        readProblem: client.readProblem,
        // The source has its number of tries; the endpoint, in front of it, has as many as it takes.
        async excuse(_problem, call) {
          if (await client.isThere(call)) return false;
          await client.waitUntilThere(call);
          return true;
        },
        stallMs,
        maxConnections: connections,
        clock,
        signal,
      });
    },
    openTarget: async ({ name, uid }, options) =>
      await openVolumeTarget({ volume: await openVolume(needVolume(volumePath)), name, uid, ...options }),
    serveImage: openServedImage,
    uploadDisk,
    async openVolumeDisk(virtualSizeBytes) {
      const path = needVolume(volumePath);
      return await openDeviceDisk((await isFolder(path)) ? join(path, DISK_FILE) : path, virtualSizeBytes);
    },
  };
}

/** @throws ProblemError `WorkerEnvironmentInvalid` */
function needVolume(path: string | undefined): string {
  if (path !== undefined) return path;
  throw new ProblemError('WorkerEnvironmentInvalid', 'AIRLIFT_VOLUME is not set, and this transfer has a volume');
}

/** Somebody else may be writing: this process ends here and now, with all its threads, and touches nothing any more (ruling 16). */
function onCutOff(problem: ProblemError): void {
  log.error('transfer cut off', { code: problem.code, detail: problem.message });
  process.exit(exitCodes.final);
}

/** Aborts at the first signal to stop. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) return;
      log.info('stopping', { signal: name });
      controller.abort(new ProblemError('Interrupted', `the worker was told to stop by ${name}`));
      setTimeout(() => {
        log.error('not stopped in time');
        process.exit(exitCodes.interrupted);
      }, STOP_MS).unref();
    });
  }
  return controller.signal;
}

/** By its own hand, so that nothing left open keeps a Pod alive that is done. */
async function end({ exitCode, message }: WorkerEnd): Promise<never> {
  if (message !== undefined && process.env.KUBERNETES_SERVICE_HOST !== undefined) {
    await writeFile(TERMINATION_FILE, message).catch((error: unknown) =>
      log.warn('no termination message', { error: String(error) }),
    );
  }
  process.exit(exitCode);
}
