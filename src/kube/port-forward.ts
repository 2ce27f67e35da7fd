import { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { WebSocket } from 'undici';
import { podKind, type SelfSubjectAccessReview, selfSubjectAccessReviewKind } from '../api/core-kinds.ts';
import type { ObjectRef } from '../domain/kubernetes-object.ts';
import { ProblemError } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { ApiConnection } from './api-connection.ts';
import { type Asked, canICommand } from './asked.ts';
import { collectionPathOfOne, objectPath } from './resource-path.ts';

/**
 * Frames begin with the number of a channel: data and complaints, of one port. What comes first on each is the port itself in two bytes
 * (k8s.io/kubelet/pkg/cri/streaming/portforward/websocket.go).
 */
const PROTOCOL = 'v4.channel.k8s.io';
const DATA = 0;
const COMPLAINT = 1;
const PORT_BYTES = 2;
const OPEN_MS = 30_000;
/** Bytes given to the socket and not yet sent. */
const MOST_BUFFERED = 1024 * 1024;
/** The standard has no event for what was sent. */
const LOOK_AGAIN_MS = 5;

/**
 * A connection to a port of a Pod, as from inside it, through the API server. Its end is the end of both directions. Idle ones are cut by the node after hours.
 * @throws ProblemError `ClusterForbidden`, `ClusterUnreachable`, those of the identity
 */
export async function forwardPort(
  connection: ApiConnection,
  pod: ObjectRef,
  port: number,
  { signal }: CallOptions = {},
): Promise<Duplex> {
  const path = objectPath(podKind, pod, 'portforward');
  const socket = await connection.webSocket(path, { ports: String(port) }, { protocol: PROTOCOL, signal });
  socket.binaryType = 'arraybuffer';
  const opened = await isOpened(socket, signal);
  if (!opened.isOpen) {
    signal?.throwIfAborted();
    throw await whyNot(connection, pod, opened.why, { signal });
  }
  return new ForwardedPort(socket);
}

class ForwardedPort extends Duplex {
  readonly #socket: WebSocket;
  /** Of the port's number at the beginning. */
  #toSkip = PORT_BYTES;
  #complaint = '';

  constructor(socket: WebSocket) {
    // The other side has no half-closed connections.
    super({ allowHalfOpen: false });
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => this.#take(new Uint8Array(data as ArrayBuffer)));
    socket.addEventListener('close', () => this.#end());
    socket.addEventListener('error', () => this.#end());
  }

  // What comes in is little: requests. It is not held back.
  override _read(): void {}

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    const frame = new Uint8Array(chunk.length + 1);
    frame[0] = DATA;
    frame.set(chunk, 1);
    // A closed one would take it and say nothing.
    if (!this.#isOpen) {
      done(new ProblemError('ClusterUnreachable', 'the forwarded port was closed'));
      return;
    }
    this.#socket.send(frame);
    if (this.#socket.bufferedAmount <= MOST_BUFFERED) done();
    else void this.#drained().then(() => done(), done);
  }

  override _final(done: (error?: Error) => void): void {
    this.#socket.close();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.close();
    done(error);
  }

  async #drained(): Promise<void> {
    while (this.#socket.bufferedAmount > MOST_BUFFERED && this.#isOpen) await delay(LOOK_AGAIN_MS);
  }

  get #isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  #take(frame: Uint8Array): void {
    const body = frame.subarray(1);
    if (frame[0] === COMPLAINT) {
      // Its own two bytes of port come as a frame of their own.
      if (body.length > PORT_BYTES) this.#complaint += Buffer.from(body).toString('utf8');
      return;
    }
    const skipped = Math.min(this.#toSkip, body.length);
    this.#toSkip -= skipped;
    if (body.length > skipped && !this.destroyed) this.push(body.subarray(skipped));
  }

  #end(): void {
    if (this.destroyed) return;
    // What was received is still to be read.
    if (this.#complaint === '') this.push(null);
    else this.destroy(new ProblemError('ClusterUnreachable', this.#complaint.slice(0, 500)));
  }
}

type Opened = { readonly isOpen: true } | { readonly isOpen: false; readonly why: string };

async function isOpened(socket: WebSocket, signal: AbortSignal | undefined): Promise<Opened> {
  return await new Promise<Opened>((resolve) => {
    const no = (why: string) => {
      resolve({ isOpen: false, why });
      socket.close();
    };
    const timer = setTimeout(() => no(`no answer within ${OPEN_MS / 1000} s`), OPEN_MS);
    const abort = () => no('stopped');
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted) abort();
    const settle = (then: () => void) => () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      then();
    };
    socket.addEventListener(
      'open',
      settle(() => resolve({ isOpen: true })),
    );
    socket.addEventListener(
      'error',
      settle(() => no('the connection was refused')),
    );
    socket.addEventListener(
      'close',
      settle(() => no('the connection was closed')),
    );
  });
}

/** Of a WebSocket that did not open nobody learns the answer; so the API is asked what it might have been. */
async function whyNot(
  connection: ApiConnection,
  pod: ObjectRef,
  why: string,
  options: CallOptions,
): Promise<ProblemError> {
  // `create` from Kubernetes 1.35 on, `get` before.
  for (const verb of ['create', 'get'] as const) {
    const asked: Asked = { verb, kind: podKind, ...pod, subresource: 'portforward' };
    if (!(await isAllowed(connection, asked, options))) {
      const where = pod.namespace === undefined ? '' : ` in namespace ${pod.namespace}`;
      const detail = `this user may not ${verb} pods/portforward${where}; check with: ${canICommand(asked, undefined)}`;
      return new ProblemError('ClusterForbidden', detail);
    }
  }
  const name = `${pod.namespace === undefined ? '' : `${pod.namespace}/`}${pod.name}`;
  return new ProblemError('ClusterUnreachable', `port-forward to Pod ${name}: ${why}`);
}

async function isAllowed(
  connection: ApiConnection,
  { verb, namespace, name, subresource }: Asked,
  options: CallOptions,
): Promise<boolean> {
  const kind = selfSubjectAccessReviewKind;
  const body: SelfSubjectAccessReview = {
    apiVersion: kind.apiVersion,
    kind: kind.kind,
    metadata: { name: '' },
    spec: {
      resourceAttributes: {
        verb,
        resource: 'pods',
        ...(namespace && { namespace }),
        ...(name && { name }),
        ...(subresource && { subresource }),
      },
    },
  };
  const request = {
    asked: { verb: 'create', kind } as const,
    method: 'POST',
    path: collectionPathOfOne(kind, undefined),
    body,
  } as const;
  const answer = (await connection.ask(request, options)) as SelfSubjectAccessReview;
  return answer.status?.allowed === true;
}
