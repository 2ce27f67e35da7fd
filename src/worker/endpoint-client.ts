import {
  type Assignment,
  assignmentSchema,
  DONE_BYTES_HEADER,
  PROBLEM_DETAIL_HEADER,
  PROBLEM_HEADER,
  type TransferOutcome,
  type TransferProgress,
  type TransferRun,
  takenSchema,
  transferPath,
  uploadTicketSchema,
} from '../api/transfer-protocol.ts';
import { isProblem, type ProblemCode, ProblemError, problems } from '../domain/problems.ts';
import { backoffMs } from '../lib/backoff.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Clock } from '../ports/clock.ts';
import type { UploadTicket } from '../ports/upload.ts';
import type { EndpointLink } from './endpoint-link.ts';
import type { TokenFile } from './token-file.ts';

export interface EndpointRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly timeoutMs?: number;
}

export interface EndpointAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** One call. @throws ProblemError `EndpointUnreachable` */
export type SendRequest = (request: EndpointRequest, options?: CallOptions) => Promise<EndpointAnswer>;

export interface EndpointClientOptions {
  readonly run: TransferRun;
  readonly send: SendRequest;
  readonly token: TokenFile;
  readonly link: EndpointLink;
  readonly clock: Clock;
  readonly random: () => number;
  /** Told that this run is over, whoever learns of it first: another worker has the volume, there is no transfer any more, or this Pod is none. */
  readonly onCutOff: (problem: ProblemError) => void;
}

const BACKOFF = { firstMs: 500, capMs: 10_000 };
/** A token may be refused for moments: it is being replaced, or the Pod is younger than what the controller knows. Then it will stay so. */
const MOST_REFUSALS = 5;
/** Storing takes the controller one write to the cluster's API. */
const STORE_MS = 15_000;
/** A report of progress is soon followed by a newer one. */
const PROGRESS_MS = 5_000;

/**
 * The worker's side of the conversation with the endpoint. What is asked patiently is asked for as long as it takes: a controller that is away comes back (ruling 18).
 * @throws ProblemError `TransferSuperseded`, `TransferUnknown`, `EndpointRefused`, `EndpointNotUnderstood`
 */
export class EndpointClient {
  readonly #options: EndpointClientOptions;
  readonly #base: string;
  /** Of reports in a row. */
  #refusals = 0;

  constructor(options: EndpointClientOptions) {
    this.#options = options;
    this.#base = transferPath(options.run);
  }

  async readAssignment(options?: CallOptions): Promise<Assignment> {
    const { body } = await this.#patiently({ method: 'GET', path: '/assignment' }, options);
    const parsed = assignmentSchema.safeParse(parseJson(body, 'the assignment'));
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    throw new ProblemError('EndpointNotUnderstood', `the assignment: ${issue?.path.join('.')}: ${issue?.message}`, {
      cause: parsed.error,
    });
  }

  async loadCheckpoint(options?: CallOptions): Promise<Uint8Array | undefined> {
    const { status, body } = await this.#patiently({ method: 'GET', path: '/checkpoint' }, options);
    return status === 204 ? undefined : body;
  }

  /** Returns once it is stored. */
  async saveCheckpoint(bytes: Uint8Array, doneBytes: number, options?: CallOptions): Promise<void> {
    const headers = { 'content-type': 'application/octet-stream', [DONE_BYTES_HEADER]: String(doneBytes) };
    await this.#patiently({ method: 'PUT', path: '/checkpoint', headers, body: bytes, timeoutMs: STORE_MS }, options);
  }

  async removeCheckpoint(options?: CallOptions): Promise<void> {
    await this.#patiently({ method: 'DELETE', path: '/checkpoint' }, options);
  }

  /** Once only. @throws ProblemError also `EndpointUnreachable` and what the controller met */
  async reportProgress(progress: TransferProgress, options?: CallOptions): Promise<void> {
    try {
      await this.#once({ method: 'POST', path: '/progress', ...json(progress), timeoutMs: PROGRESS_MS }, options);
      this.#refusals = 0;
    } catch (error) {
      if (isProblem(error, 'EndpointRefused')) this.#countRefusal(error);
      throw error;
    }
  }

  /** Where this run may send its disk now; undefined while nobody would take it. */
  async readUpload(options?: CallOptions): Promise<UploadTicket | undefined> {
    const { status, body } = await this.#patiently({ method: 'GET', path: '/upload' }, options);
    if (status === 204) return undefined;
    const parsed = uploadTicketSchema.safeParse(parseJson(body, 'what was said of the upload'));
    // Without what was said: it holds a token.
    if (!parsed.success) throw new ProblemError('EndpointNotUnderstood', 'what was said of the upload');
    return parsed.data;
  }

  /** Whether what this run serves or sends has arrived where it shall be. */
  async isTaken(options?: CallOptions): Promise<boolean> {
    const { body } = await this.#patiently({ method: 'GET', path: '/taken' }, options);
    const parsed = takenSchema.safeParse(parseJson(body, 'taken'));
    if (!parsed.success) throw new ProblemError('EndpointNotUnderstood', `taken: ${parsed.error.message}`);
    return parsed.data.isTaken;
  }

  /** Returns once it is stored. */
  async reportOutcome(outcome: TransferOutcome, options?: CallOptions): Promise<void> {
    await this.#patiently({ method: 'POST', path: '/outcome', ...json(outcome) }, options);
  }

  /** Whether the endpoint answers now. @throws ProblemError that this run is over */
  async isThere(options?: CallOptions): Promise<boolean> {
    try {
      await this.#once({ method: 'GET', path: '', timeoutMs: PROGRESS_MS }, options);
      return true;
    } catch (error) {
      if (!isProblem(error) || isOver(error)) throw error;
      return false;
    }
  }

  /** Returns when the endpoint answers. */
  async waitUntilThere(options?: CallOptions): Promise<void> {
    await this.#patiently({ method: 'GET', path: '' }, options);
  }

  /** Understands what the endpoint says in place of a part of the source. */
  readonly readProblem = (headers: Headers): ProblemError | undefined => {
    const code = headers[PROBLEM_HEADER];
    if (typeof code !== 'string') return undefined;
    const problem = toProblem(code, headers[PROBLEM_DETAIL_HEADER]);
    if (isOver(problem)) this.#options.onCutOff(problem);
    if (problem.code === 'EndpointRefused') this.#options.token.forget();
    return problem;
  };

  /** A Pod that the cluster has given up has no good token any more: nobody could tell it otherwise that its time is over. */
  #countRefusal(problem: ProblemError): void {
    this.#refusals += 1;
    if (this.#refusals >= MOST_REFUSALS) this.#options.onCutOff(problem);
  }

  async #patiently(request: Omit<EndpointRequest, 'headers'> & Partial<EndpointRequest>, options: CallOptions = {}) {
    const { clock, random } = this.#options;
    let refusals = 0;
    for (let failures = 1; ; failures += 1) {
      try {
        return await this.#once(request, options);
      } catch (error) {
        options.signal?.throwIfAborted();
        if (!isProblem(error) || isOver(error) || error.code === 'EndpointNotUnderstood') throw error;
        refusals = error.code === 'EndpointRefused' ? refusals + 1 : 0;
        if (refusals >= MOST_REFUSALS) throw error;
        await clock.delay(backoffMs(failures, BACKOFF, random), options);
      }
    }
  }

  async #once(request: Omit<EndpointRequest, 'headers'> & Partial<EndpointRequest>, options: CallOptions = {}) {
    const { send, token, link } = this.#options;
    const kind = `${request.method} ${request.path}`;
    try {
      const headers = { ...request.headers, authorization: await token.authorization() };
      const answer = await send({ ...request, path: `${this.#base}${request.path}`, headers }, options);
      if (answer.status >= 300) throw this.#problemOf(answer);
      link.answered(kind);
      return answer;
    } catch (error) {
      // Given up by ourselves, which says nothing about the other side.
      options.signal?.throwIfAborted();
      link.failed(kind);
      throw error;
    }
  }

  #problemOf({ status, headers }: EndpointAnswer): ProblemError {
    const told = this.readProblem(headers);
    return (
      told ??
      new ProblemError('EndpointUnreachable', `something else than the controller answered with status ${status}`)
    );
  }
}

function json(value: object): { readonly headers: Readonly<Record<string, string>>; readonly body: Uint8Array } {
  return { headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(value)) };
}

/** Never with what was said: it may hold a token. */
function parseJson(body: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    throw new ProblemError('EndpointNotUnderstood', `${what}: what came is no JSON`);
  }
}

function isOver({ code }: ProblemError): boolean {
  return code === 'TransferSuperseded' || code === 'TransferUnknown';
}

/** A newer controller may have problems that this worker has no word for. */
function toProblem(code: string, header: string | string[] | undefined): ProblemError {
  const detail = decode(typeof header === 'string' ? header : '');
  if (Object.hasOwn(problems, code)) return new ProblemError(code as ProblemCode, detail);
  return new ProblemError('EndpointUnreachable', `${code}: ${detail}`);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // not encoded as ours is; for people it will do
  }
}
