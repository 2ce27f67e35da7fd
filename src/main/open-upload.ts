import { createHash } from 'node:crypto';
import { readdir, realpath, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, extname, join } from 'node:path';
import { podKind, secretKind } from '../api/core-kinds.ts';
import { RELAY_PORT, RELAY_TUNNEL_PORT } from '../api/file-relay.ts';
import type { StoredVirtualMachineImport } from '../api/virtual-machine-import.ts';
import { ownerReferenceTo, secretName } from '../app/cluster/import-wish.ts';
import type { OpenCluster } from '../app/cluster/open-cluster.ts';
import { findAirliftImage, startRelay } from '../app/cluster/relay-pod.ts';
import type { LocalFile, OpenUpload, UploadOptions } from '../cli/services.ts';
import {
  certificateFromSecret,
  certificateToSecret,
  type EndpointCertificate,
  renewCertificate,
} from '../controller/endpoint/create-certificate.ts';
import { isProblem, ProblemError } from '../domain/problems.ts';
import { FileServer } from '../file-relay/file-server.ts';
import { keepTunnels } from '../file-relay/tunnel-keeper.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Clock } from '../ports/clock.ts';

/** Pulling the image, and finding a node, take their time. */
const PATIENCE_MS = 5 * 60_000;
/** The name is chance enough: 128 bits of a hash over a key that never leaves the Secret. */
const TOKEN_LENGTH = 32;

/**
 * A file of this machine as a cluster may read it: by a relay in the cluster, to which this process keeps connections, and over TLS that only this process ends
 * (docs/decisions/0015-import-to-kubevirt.md). Key and token are those of an earlier run, so that who reads already goes on reading.
 */
export async function openUpload(
  open: OpenCluster,
  { file, diskFiles, name, namespace, image, onRemark }: UploadOptions,
  { clock, signal }: CallOptions & { readonly clock: Clock },
): Promise<OpenUpload> {
  const { cluster } = open;
  const used = image ?? (await findAirliftImage(cluster, { signal }));
  const stored = await readCertificate(open, { name, namespace }, { signal });
  const facts = { name, namespace, image: used };
  const patience = AbortSignal.timeout(PATIENCE_MS);
  const onWait = (state: string) => onRemark(`waiting for the file relay: ${state}`);
  const relay = await startRelay(cluster, facts, { signal, patience, onWait });
  const certificate = await renewCertificate(stored, { names: [relay.address], now: clock.now() });
  const token = createHash('sha256')
    .update(`airlift upload ${certificate.caKeyPem}`)
    .digest('hex')
    .slice(0, TOKEN_LENGTH);
  const isShared = sharedFiles(file.fileName, diskFiles);
  const server = new FileServer({ folder: file.folder, isShared, token, ...certificate });
  const stop = new AbortController();
  const either = AbortSignal.any([stop.signal, ...(signal === undefined ? [] : [signal])]);
  const keeping = keepTunnels(
    {
      clock,
      random: Math.random,
      connect: (options) => open.forwardPort(relay.pod, RELAY_TUNNEL_PORT, options),
      serve: (connection) => server.serve(connection),
      onRetry: (error) => onRemark(error instanceof Error ? error.message : String(error)),
    },
    { signal: either },
  );
  const lost = keeping.then(() => new Promise<never>(() => {}));
  // Told where it is awaited.
  lost.catch(() => {});
  const host = relay.address.includes(':') ? `[${relay.address}]` : relay.address;
  return {
    source: {
      url: `https://${host}:${RELAY_PORT}${server.pathOf(file.fileName)}`,
      secret: certificateToSecret(certificate),
    },
    lost,
    async adopt(machineImport: StoredVirtualMachineImport) {
      const patch = { metadata: { ownerReferences: [{ ...ownerReferenceTo(machineImport) }] } };
      await cluster.patch(podKind, relay.pod, patch, { signal });
    },
    async remove() {
      // Also when the user has just stopped everything else.
      await cluster.delete(podKind, relay.pod);
    },
    async [Symbol.asyncDispose]() {
      stop.abort(new ProblemError('Interrupted', 'the upload ended'));
      await keeping.catch(() => {});
      await server[Symbol.asyncDispose]();
    },
  };
}

/**
 * Where a local source lies, in full: of a folder the one OVF in it.
 * @throws ProblemError `SourceNotFound`, `SourceKindUnsupported`
 */
export async function locateFile(location: string): Promise<LocalFile> {
  try {
    const path = await realpath(location);
    const isFolder = (await stat(path)).isDirectory();
    const file = isFolder ? join(path, await onlyDescriptor(path)) : path;
    return { folder: dirname(file), fileName: basename(file), origin: `${hostname()}:${file}` };
  } catch (cause) {
    if (isProblem(cause)) throw cause;
    const errno = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
    throw new ProblemError('SourceNotFound', `cannot read ${location}: ${errno}`, { cause });
  }
}

async function onlyDescriptor(folder: string): Promise<string> {
  const [only, ...more] = (await readdir(folder)).filter((name) => extname(name).toLowerCase() === '.ovf');
  if (only !== undefined && more.length === 0) return only;
  throw new ProblemError(
    'SourceKindUnsupported',
    `${folder} holds ${only === undefined ? 'no' : 'several'} .ovf files`,
  );
}

/** The file itself and what it leads to, with the parts of a chunked disk; nothing else that lies beside it. */
function sharedFiles(fileName: string, diskFiles: readonly string[]): (name: string) => boolean {
  const stem = fileName.slice(0, fileName.length - extname(fileName).length);
  const whole = new Set([fileName, `${stem}.mf`, `${stem}.cert`, ...diskFiles]);
  const isPart = (name: string) => /\.\d{9}$/.test(name) && whole.has(name.replace(/\.\d{9}$/, ''));
  return (name) => whole.has(name) || isPart(name);
}

async function readCertificate(
  { cluster }: OpenCluster,
  { name, namespace }: { readonly name: string; readonly namespace: string },
  options: CallOptions,
): Promise<EndpointCertificate | undefined> {
  const secret = await cluster.get(secretKind, { namespace, name: secretName(name) }, options);
  const values = Object.entries(secret?.data ?? {}).map(([key, text]) => [
    key,
    Buffer.from(text, 'base64').toString('utf8'),
  ]);
  return certificateFromSecret(Object.fromEntries(values));
}
