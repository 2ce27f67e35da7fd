import { type KubernetesObject, type ObjectRef, type ResourceKind, refOf } from '../domain/kubernetes-object.ts';
import { isProblem, ProblemError } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type {
  ApplyOptions,
  Cluster,
  ClusterEvent,
  DeepPartialObject,
  DeleteOptions,
  JsonObject,
  ListOptions,
  PatchOptions,
  WatchOptions,
} from '../ports/cluster.ts';
import type { ApiConnection, ApiRequest } from './api-connection.ts';
import { type Asked, describeAsked } from './asked.ts';
import { jsonLines } from './json-lines.ts';
import { type GetPage, listObjects } from './list-objects.ts';
import { receivedObject, receivedPage } from './received-object.ts';
import { repeatRequest } from './repeat-request.ts';
import { collectionPath, collectionPathOfOne, objectPath, selectorsOf } from './resource-path.ts';
import { watchObjects } from './watch-objects.ts';

export interface KubeClusterOptions {
  /** In [0, 1). */
  readonly random: () => number;
  /** Who the fields of creates, patches and replaces belong to; `airlift` unless told. */
  readonly manager?: string | undefined;
  /** How long a watch may tell nothing; 90 s unless told. A server that works sends a bookmark every minute. */
  readonly idleMs?: number | undefined;
}

/** Ten thousand objects of 6 KB take 40 MB of memory by pages of 100, and 110 MB by pages of 500; the time is the same. */
const PAGE = 100;
const IDLE_MS = 90_000;
/** No object is larger than etcd's 1.5 MiB by much, as JSON and twice quoted. */
const MOST_LINE_BYTES = 16 * 1024 * 1024;

/** A real cluster, by HTTP. */
export class KubeCluster implements Cluster, AsyncDisposable {
  readonly connection: ApiConnection;
  readonly #random: () => number;
  readonly #manager: string;
  readonly #idleMs: number;

  constructor(connection: ApiConnection, { random, manager = 'airlift', idleMs = IDLE_MS }: KubeClusterOptions) {
    this.connection = connection;
    this.#random = random;
    this.#manager = manager;
    this.#idleMs = idleMs;
  }

  async get<T extends KubernetesObject>(
    kind: ResourceKind<T>,
    ref: ObjectRef,
    options: CallOptions = {},
  ): Promise<T | undefined> {
    const asked: Asked = { ...ref, verb: 'get', kind };
    try {
      const path = objectPath(kind, ref);
      return receivedObject(kind, await this.#ask({ asked, method: 'GET', path }, true, options));
    } catch (error) {
      if (isProblem(error, 'ClusterObjectMissing')) return undefined;
      throw error;
    }
  }

  list<T extends KubernetesObject>(kind: ResourceKind<T>, options: ListOptions = {}): AsyncGenerator<T, void> {
    return listObjects(kind, this.#pages(kind, 'list', options), options);
  }

  watch<T extends KubernetesObject>(
    kind: ResourceKind<T>,
    options: WatchOptions = {},
  ): AsyncGenerator<ClusterEvent<T>, void> {
    const { namespace } = options;
    const asked: Asked = { verb: 'watch', kind, namespace };
    const openStream = async (version: string) => {
      const query = {
        ...selectorsOf(options),
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion: version,
        // Ended by the server now and then, at different times for each watch, so that they spread over its replicas again.
        timeoutSeconds: String(Math.round(300 + 300 * this.#random())),
      };
      const request: ApiRequest = { asked, method: 'GET', path: collectionPath(kind, namespace), query };
      const pieces = await this.connection.stream(request, { ...options, idleMs: this.#idleMs });
      return jsonLines(pieces, MOST_LINE_BYTES);
    };
    // Repeated by the watch itself, for as long as it takes.
    const getPage = this.#pages(kind, 'list', options, { isRepeated: false });
    return watchObjects(
      kind,
      { getPage, openStream, asked, clock: this.connection.clock, random: this.#random },
      options,
    );
  }

  async create<T extends KubernetesObject>(kind: ResourceKind<T>, object: T, options: CallOptions = {}): Promise<T> {
    const { namespace, name, resourceVersion } = object.metadata;
    const asked: Asked = { verb: 'create', kind, namespace, name };
    // The server's own answer to that is 500, which would be taken for a failure of its.
    if (resourceVersion !== undefined)
      throw invalid(asked, 'resourceVersion should not be set on objects to be created');
    const path = collectionPathOfOne(kind, namespace);
    return await this.#write({ asked, method: 'POST', path, body: object }, { ...options, isRepeatable: false });
  }

  async apply<T extends KubernetesObject>(
    kind: ResourceKind<T>,
    object: DeepPartialObject<T>,
    options: ApplyOptions,
  ): Promise<T> {
    const { namespace, name } = object.metadata;
    const { fieldManager, force = false, subresource } = options;
    const asked: Asked = { verb: 'patch', kind, namespace, name, subresource };
    const path = objectPath(kind, { namespace, name }, subresource);
    const query = { fieldManager, force: String(force) };
    const contentType = 'application/apply-patch+yaml';
    return await this.#write(
      { asked, method: 'PATCH', path, query, body: object, contentType },
      { ...options, isRepeatable: true },
    );
  }

  async patch<T extends KubernetesObject>(
    kind: ResourceKind<T>,
    ref: ObjectRef,
    patch: JsonObject,
    options: PatchOptions = {},
  ): Promise<T> {
    const { subresource } = options;
    const asked: Asked = { ...ref, verb: 'patch', kind, subresource };
    const path = objectPath(kind, ref, subresource);
    const contentType = 'application/merge-patch+json';
    return await this.#write(
      { asked, method: 'PATCH', path, body: patch, contentType },
      { ...options, isRepeatable: true },
    );
  }

  async replace<T extends KubernetesObject>(kind: ResourceKind<T>, object: T, options: CallOptions = {}): Promise<T> {
    const ref = refOf(object);
    const asked: Asked = { ...ref, verb: 'update', kind };
    // Some kinds would take it and overwrite what others wrote.
    if (object.metadata.resourceVersion === undefined)
      throw invalid(asked, 'metadata.resourceVersion: must be specified for an update');
    return await this.#write(
      { asked, method: 'PUT', path: objectPath(kind, ref), body: object },
      { ...options, isRepeatable: true },
    );
  }

  async delete(kind: ResourceKind, ref: ObjectRef, options: DeleteOptions = {}): Promise<void> {
    const { uid, resourceVersion, propagation = 'Background' } = options;
    const asked: Asked = { ...ref, verb: 'delete', kind };
    const preconditions =
      uid === undefined && resourceVersion === undefined ? {} : { preconditions: { uid, resourceVersion } };
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: propagation, ...preconditions };
    try {
      await this.#ask({ asked, method: 'DELETE', path: objectPath(kind, ref), body }, true, options);
    } catch (error) {
      if (!isProblem(error, 'ClusterObjectMissing')) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.connection[Symbol.asyncDispose]();
  }

  #pages(kind: ResourceKind, verb: 'list', options: ListOptions, { isRepeated = true } = {}): GetPage {
    const { namespace } = options;
    const asked: Asked = { verb, kind, namespace };
    return async (token) => {
      const query = { ...selectorsOf(options), limit: String(PAGE), continue: token };
      const request: ApiRequest = { asked, method: 'GET', path: collectionPath(kind, namespace), query };
      const answer = isRepeated ? await this.#ask(request, true, options) : await this.connection.ask(request, options);
      return receivedPage(kind, answer);
    };
  }

  async #write<T extends KubernetesObject>(
    request: ApiRequest,
    options: CallOptions & { readonly isRepeatable: boolean },
  ): Promise<T> {
    const query = { fieldManager: this.#manager, ...request.query };
    const answer = await this.#ask({ ...request, query }, options.isRepeatable, options);
    return receivedObject(request.asked.kind, answer) as T;
  }

  async #ask(request: ApiRequest, isRepeatable: boolean, { signal }: CallOptions): Promise<unknown> {
    const { clock } = this.connection;
    const act = () => this.connection.ask(request, { signal });
    return await repeatRequest(act, { clock, random: this.#random, isRepeatable, signal });
  }
}

function invalid(asked: Asked, why: string): ProblemError {
  return new ProblemError('ClusterObjectInvalid', `${describeAsked(asked)}: ${why}`);
}
