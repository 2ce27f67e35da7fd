import type { ClientRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Assignment, bodyLimits, transferPath } from '../../api/transfer-protocol.ts';
import { ProblemError } from '../../domain/problems.ts';
import { systemClock } from '../../main/system-clock.ts';
import type { RelayAnswer, SourceRelay } from '../../ports/source-relay.ts';
import { FakeTransferDesk, fakeReviews } from '../../testing/fake-transfer-desk.ts';
import { EndpointHttp } from '../../worker/endpoint-http.ts';
import { createCertificate, type EndpointCertificate } from './create-certificate.ts';
import { WorkerEndpoint, type WorkerEndpointOptions } from './worker-endpoint.ts';

const ID = 'uid-of-import.0';
const TOKENS = {
  good: {},
  'other-pod': { podUid: 'uid-9' },
  'other-namespace': { namespace: 'elsewhere' },
  'other-audience': { audiences: ['https://kubernetes.default.svc'] },
  'no-audience': { audiences: [] },
  unbound: { podName: undefined, podUid: undefined },
};
const assignment: Assignment = {
  source: { relay: { path: 'web.ova', location: 'https://files.example/web.ova' } },
  disk: { id: '100', index: 0 },
  volume: { uid: 'claim', name: 'team/web-disk-0' },
  verify: 'readback',
};

let certificate: EndpointCertificate;
beforeAll(async () => {
  certificate = await createCertificate({ names: ['127.0.0.1', 'localhost'], now: Date.now() });
});

let desk: FakeTransferDesk;
let reviews: ReturnType<typeof fakeReviews>;
let endpoint: WorkerEndpoint;
let http: EndpointHttp;
let logged: string[];
beforeEach(async () => {
  logged = [];
  desk = new FakeTransferDesk(ID, assignment);
  reviews = fakeReviews(TOKENS);
  await startEndpoint({});
});
afterEach(async () => {
  await http[Symbol.asyncDispose]();
  await endpoint[Symbol.asyncDispose]();
});

async function startEndpoint(options: Partial<WorkerEndpointOptions>): Promise<void> {
  const say = (message: string, fields: object = {}) => void logged.push(`${message} ${JSON.stringify(fields)}`);
  endpoint = await WorkerEndpoint.start({
    desk,
    reviewToken: reviews.reviewToken,
    certificate,
    clock: systemClock,
    log: { info: say, warn: say, error: say },
    host: '127.0.0.1',
    port: 0,
    ...options,
  });
  http = new EndpointHttp(`https://127.0.0.1:${endpoint.port}`, async () => certificate.caPem);
}

interface AskOptions {
  readonly token?: string | null;
  readonly id?: string;
  readonly epoch?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string | object | undefined;
}

async function ask(method: 'GET' | 'PUT' | 'POST' | 'DELETE', what: string, options: AskOptions = {}) {
  const { token = 'good', id = ID, epoch = 1, headers = {}, body } = options;
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const answer = await http.send({
    method,
    path: `${transferPath({ id, epoch })}${what}`,
    headers: { ...headers, ...(token === null ? {} : { authorization: `Bearer ${token}` }) },
    ...(bytes === undefined ? {} : { body: bytes instanceof Uint8Array ? bytes : Buffer.from(JSON.stringify(bytes)) }),
  });
  const text = Buffer.from(answer.body).toString();
  return { status: answer.status, headers: answer.headers, text, problem: answer.headers['airlift-problem'] };
}

const report = { phase: 'copy', doneBytes: 5, checkpointBytes: 3, remarks: [] };

describe('the worker of the current run', () => {
  test('is told what to do', async () => {
    const { status, text } = await ask('GET', '/assignment');
    expect(status).toBe(200);
    expect(JSON.parse(text)).toEqual(assignment);
    expect((await ask('GET', '')).status).toBe(204);
  });

  test('stores, loads and removes its checkpoint', async () => {
    expect((await ask('GET', '/checkpoint')).status).toBe(204);
    const body = Buffer.from([0, 1, 255, 254]);
    const stored = await ask('PUT', '/checkpoint', { body, headers: { 'airlift-done-bytes': '42' } });
    expect(stored.status).toBe(204);
    expect(desk.checkpoint).toEqual({ bytes: body, doneBytes: 42 });
    const loaded = await ask('GET', '/checkpoint');
    expect(loaded).toMatchObject({ status: 200, text: body.toString() });
    expect((await ask('DELETE', '/checkpoint')).status).toBe(204);
    expect(desk.checkpoint).toBeUndefined();
  });

  test('is answered only once its checkpoint is stored', async () => {
    let store = () => {};
    const stored = new Promise<void>((resolve) => {
      store = resolve;
    });
    const save = desk.saveCheckpoint.bind(desk);
    desk.saveCheckpoint = async (...args) => {
      await stored;
      await save(...args);
    };
    let isAnswered = false;
    const answer = ask('PUT', '/checkpoint', { body: 'x', headers: { 'airlift-done-bytes': '1' } }).finally(() => {
      isAnswered = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(isAnswered).toBe(false);
    store();
    expect((await answer).status).toBe(204);
    expect(desk.checkpoints).toHaveLength(1);
  });

  test('reports progress and how it ended', async () => {
    expect((await ask('POST', '/progress', { body: report })).status).toBe(204);
    expect(desk.progress).toMatchObject([{ epoch: 1, doneBytes: 5 }]);
    const problem = { code: 'SourceNotFound', detail: 'it is gone' };
    expect((await ask('POST', '/outcome', { body: { problem } })).status).toBe(204);
    expect(desk.outcomes).toMatchObject([{ epoch: 1, problem }]);
  });
});

describe('nobody else gets anything (ruling 17)', () => {
  test.each([
    ['no token', null, 401, 'EndpointRefused'],
    ['a token that is nobody’s, or has expired', 'unknown', 401, 'EndpointRefused'],
    ['a token for another audience', 'other-audience', 401, 'EndpointRefused'],
    ['a token whose reviewer does not know audiences', 'no-audience', 401, 'EndpointRefused'],
    ['a token bound to no Pod', 'unbound', 403, 'EndpointRefused'],
    ['a token stolen from another Pod', 'other-pod', 403, 'EndpointRefused'],
    ['a token of another namespace', 'other-namespace', 403, 'EndpointRefused'],
  ])('%s', async (_who, token, status, problem) => {
    for (const [method, what, body] of EVERYTHING) {
      const answer = await ask(method, what, { token, body, headers: { 'airlift-done-bytes': '1' } });
      expect(answer, `${method} ${what}`).toMatchObject({ status, problem });
      expect(answer.text).not.toContain('files.example');
    }
    expectNothingHappened();
  });

  test('a header that is no bearer token is not even reviewed', async () => {
    for (const authorization of ['Basic Z29vZA==', 'Bearer ', 'Bearer a b', `Bearer ${'x'.repeat(20_000)}`])
      expect(await ask('GET', '', { token: null, headers: { authorization } })).toMatchObject({ status: 401 });
    expect(reviews.reviewed).toEqual([]);
  });

  test('a transfer that does not exist is told only to those who have a token of ours', async () => {
    expect(await ask('GET', '/assignment', { id: 'none.0', token: 'unknown' })).toMatchObject({ status: 401 });
    const known = await ask('GET', '/assignment', { id: 'none.0' });
    expect(known).toMatchObject({ status: 404, problem: 'TransferUnknown' });
  });

  test('tokens and what they open are never logged', async () => {
    await ask('GET', '/assignment', { token: 'other-pod' });
    expect(logged.join()).toContain('request refused');
    expect(logged.join()).not.toContain('other-pod');
  });
});

describe('one writer (ruling 16)', () => {
  test('an earlier run is told that it is over, whatever it asks', async () => {
    desk.epoch = 2;
    for (const [method, what, body] of EVERYTHING) {
      const answer = await ask(method, what, { body, headers: { 'airlift-done-bytes': '1' } });
      expect(answer, `${method} ${what}`).toMatchObject({ status: 409, problem: 'TransferSuperseded' });
    }
    expectNothingHappened();
  });

  test('also when its Pod is no longer known', async () => {
    desk.epoch = 2;
    desk.podUid = 'uid-2';
    expect(await ask('POST', '/progress', { body: report })).toMatchObject({ status: 409 });
  });

  test('a run that was never begun is refused', async () => {
    expect(await ask('GET', '/assignment', { epoch: 3 })).toMatchObject({ status: 403 });
  });

  test('a desk that learns of the successor last of all still says so', async () => {
    desk.findTransfer = async () => ({ epoch: 1, namespace: 'team' });
    desk.epoch = 2;
    const answer = await ask('PUT', '/checkpoint', { body: 'x', headers: { 'airlift-done-bytes': '1' } });
    expect(answer).toMatchObject({ status: 409, problem: 'TransferSuperseded' });
    expect(desk.checkpoints).toEqual([]);
  });
});

describe('what cannot be understood', () => {
  test.each([
    ['a path of something else', 'GET', '/secrets', {}],
    ['another method', 'DELETE', '/assignment', {}],
    ['more path than there is', 'GET', '/assignment/more', {}],
    ['a checkpoint without its bytes done', 'PUT', '/checkpoint', { body: 'x' }],
    ['a number that is none', 'PUT', '/checkpoint', { body: 'x', headers: { 'airlift-done-bytes': '-1' } }],
    ['no JSON', 'POST', '/progress', { body: 'nonsense' }],
    ['progress without bytes', 'POST', '/progress', { body: { ...report, doneBytes: undefined } }],
    ['a problem nobody knows', 'POST', '/outcome', { body: { problem: { code: 'Nonsense', detail: '' } } }],
    ['an outcome that is none', 'POST', '/outcome', { body: {} }],
  ] as const)('%s', async (_what, method, path, options) => {
    expect(await ask(method, path, options)).toMatchObject({ status: 400, problem: 'EndpointNotUnderstood' });
    expectNothingHappened();
  });

  test.each([
    ['PUT', '/checkpoint', bodyLimits.checkpoint],
    ['POST', '/progress', bodyLimits.progress],
    ['POST', '/outcome', bodyLimits.outcome],
  ] as const)('%s %s of more than %i bytes is not read', async (method, what, limit) => {
    const body = Buffer.alloc(limit + 1, 'x');
    const answer = await ask(method, what, { body, headers: { 'airlift-done-bytes': '1' } }).catch(() => 'cut off');
    if (answer !== 'cut off') expect(answer).toMatchObject({ status: 400 });
    expectNothingHappened();
  });

  test('a body that says nothing of its length is cut off at the limit', async () => {
    const path = `${transferPath({ id: ID, epoch: 1 })}/checkpoint`;
    const status = await new Promise((resolve) => {
      const request = httpsRequest({
        host: '127.0.0.1',
        port: endpoint.port,
        path,
        method: 'PUT',
        ca: certificate.caPem,
        headers: { authorization: 'Bearer good', 'airlift-done-bytes': '1', 'transfer-encoding': 'chunked' },
      });
      request.on('response', (response) => resolve(response.statusCode));
      request.on('error', () => resolve('cut off'));
      for (let sent = 0; sent <= bodyLimits.checkpoint; sent += 16_384) request.write(Buffer.alloc(16_384));
      request.end();
    });
    expect(status === 400 || status === 'cut off').toBe(true);
    expectNothingHappened();
  });
});

describe('when something behind it fails', () => {
  test('what may pass is answered such that the worker asks again', async () => {
    desk.problem = new ProblemError('ClusterUnreachable', 'the API does not answer');
    expect(await ask('GET', '/assignment')).toMatchObject({ status: 503, problem: 'ClusterUnreachable' });
    desk.problem = undefined;
    expect((await ask('GET', '/assignment')).status).toBe(200);
  });

  test('a review that could not be made refuses nobody', async () => {
    reviews.reviewToken = async () => {
      throw new ProblemError('ClusterUnreachable', 'no review');
    };
    await http[Symbol.asyncDispose]();
    await endpoint[Symbol.asyncDispose]();
    await startEndpoint({});
    expect(await ask('GET', '')).toMatchObject({ status: 503, problem: 'ClusterUnreachable' });
  });

  test('a bug is told in the log only', async () => {
    desk.problem = new TypeError('secret inner state');
    const { status, text } = await ask('GET', '/assignment');
    expect(status).toBe(500);
    expect(text).not.toContain('secret inner state');
    expect(logged.join()).toContain('secret inner state');
  });
});

describe('the relay', () => {
  const bytes = Buffer.alloc(300_000, 'relayed');
  let relay: FakeRelay;
  beforeEach(() => {
    relay = new FakeRelay(bytes);
    desk.makeRelay = () => relay;
  });

  test('passes the source’s own answer on, and the conditions to it', async () => {
    const headers = { range: 'bytes=10-19', 'if-range': '"first"' };
    const answer = await http.send({
      method: 'GET',
      path: `${transferPath({ id: ID, epoch: 1 })}/source/disk%201%25.vmdk`,
      headers: { ...headers, authorization: 'Bearer good' },
    });
    expect(answer.status).toBe(206);
    expect(Buffer.from(answer.body).equals(bytes)).toBe(true);
    expect(answer.headers).toMatchObject({ etag: '"first"', 'content-range': 'bytes 10-19/300000' });
    expect(relay.asked).toEqual([{ path: 'disk 1%.vmdk', range: 'bytes=10-19', ifRange: '"first"' }]);
  });

  test('is opened once, and closed when the run has ended', async () => {
    for (let times = 0; times < 3; times += 1) await ask('GET', '/source/web.ova');
    expect(desk.relaysOpened).toBe(1);
    await ask('POST', '/outcome', { body: { problem: { code: 'Interrupted', detail: '' } } });
    expect(relay.isClosed).toBe(true);
  });

  test.each([
    ['SourceNotFound', 502],
    ['SourceAuthRequired', 502],
    ['SourceBusy', 503],
    ['ArchiveMemberUnsafe', 502],
  ] as const)('names what the source answers: %s', async (code, status) => {
    relay.problem = new ProblemError(code, 'https://files.example/ü says no');
    const { headers, ...answer } = await ask('GET', '/source/web.ova');
    expect(answer).toMatchObject({ status, problem: code });
    expect(decodeURIComponent(String(headers['airlift-problem-detail']))).toBe('https://files.example/ü says no');
  });

  test('breaks off when the source does, so that nobody takes a part for the whole', async () => {
    relay.breaksAfter = 100_000;
    await expect(ask('GET', '/source/web.ova')).rejects.toMatchObject({ code: 'EndpointUnreachable' });
    expect(relay.closed).toBe(1);
  });

  test('stops reading from the source when the worker goes away', async () => {
    relay.isEndless = true;
    const request = await holdSource();
    expect(relay.closed).toBe(0);
    request.destroy();
    await expect.poll(() => relay.closed).toBe(1);
  });

  test('reads no further ahead of a worker that does not read than some buffers', async () => {
    relay.isEndless = true;
    const request = await holdSource();
    let before = -1;
    while (before !== relay.givenBytes) {
      before = relay.givenBytes;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    // What the kernel takes on both ends of a loopback connection is most of it.
    expect(relay.givenBytes).toBeLessThan(16 * 1024 * 1024);
    request.destroy();
    await expect.poll(() => relay.closed).toBe(1);
  });

  test('lets no more through at once than was allowed', async () => {
    await http[Symbol.asyncDispose]();
    await endpoint[Symbol.asyncDispose]();
    await startEndpoint({ relayLimits: { mostOfOne: 1 } });
    relay.isEndless = true;
    const first = await holdSource();
    expect(await ask('GET', '/source/web.ova')).toMatchObject({ status: 503, problem: 'SourceBusy' });
    first.destroy();
    relay.isEndless = false;
    await expect.poll(async () => (await ask('GET', '/source/web.ova')).status).toBe(206);
  });

  /** Asks for the source and reads nothing of the answer; returns when that has begun. */
  async function holdSource(): Promise<ClientRequest> {
    const request = httpsRequest({
      host: '127.0.0.1',
      port: endpoint.port,
      path: `${transferPath({ id: ID, epoch: 1 })}/source/web.ova`,
      ca: certificate.caPem,
      headers: { authorization: 'Bearer good' },
    });
    const answered = new Promise<void>((resolve, reject) => {
      request.on('error', reject);
      request.on('response', (message) => {
        message.pause().on('error', () => {});
        resolve();
      });
    });
    request.end();
    await answered;
    return request;
  }
});

describe('the server', () => {
  test('reviews a token once in a while, not with each call', async () => {
    for (let times = 0; times < 5; times += 1) await ask('GET', '');
    expect(reviews.reviewed).toEqual(['good']);
  });

  test('serves a renewed certificate without a restart', async () => {
    const renewed = await createCertificate({ names: ['127.0.0.1'], now: Date.now() });
    endpoint.setCertificate(renewed);
    await using other = new EndpointHttp(`https://127.0.0.1:${endpoint.port}`, async () => renewed.caPem);
    const headers = { authorization: 'Bearer good' };
    const { status } = await other.send({ method: 'GET', path: transferPath({ id: ID, epoch: 1 }), headers });
    expect(status).toBe(204);
  });

  test('ends with connections open and a request under way', async () => {
    desk.readAssignment = () => new Promise((resolve) => setTimeout(() => resolve(assignment), 200));
    const asked = ask('GET', '/assignment').catch((error: ProblemError) => error.code);
    await expect.poll(() => reviews.reviewed.length).toBe(1);
    const ending = performance.now();
    await endpoint[Symbol.asyncDispose]();
    expect(performance.now() - ending).toBeLessThan(2_000);
    expect(await asked).toBe('EndpointUnreachable');
    await startEndpoint({});
  });
});

const EVERYTHING = [
  ['GET', '', undefined],
  ['GET', '/assignment', undefined],
  ['GET', '/checkpoint', undefined],
  ['PUT', '/checkpoint', Buffer.from('x')],
  ['DELETE', '/checkpoint', undefined],
  ['POST', '/progress', report],
  ['POST', '/outcome', { problem: { code: 'Interrupted', detail: '' } }],
  ['GET', '/source/web.ova', undefined],
] as const;

function expectNothingHappened(): void {
  const { checkpoints, progress, outcomes, relaysOpened, removals } = desk;
  expect({ checkpoints, progress, outcomes, relaysOpened, removals }).toEqual({
    checkpoints: [],
    progress: [],
    outcomes: [],
    relaysOpened: 0,
    removals: 0,
  });
}

/** One file, in pieces of 64 KiB. */
class FakeRelay implements SourceRelay {
  readonly path = 'web.ova';
  readonly location = 'https://files.example/web.ova';
  readonly asked: object[] = [];
  problem: ProblemError | undefined;
  breaksAfter = Infinity;
  isEndless = false;
  isClosed = false;
  /** Answers given up or done. */
  closed = 0;
  givenBytes = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  async get(path: string, conditions: object): Promise<RelayAnswer> {
    if (this.problem !== undefined) throw this.problem;
    this.asked.push({ path, ...conditions });
    return {
      status: 206,
      headers: { etag: '"first"', 'content-range': 'bytes 10-19/300000' },
      pieces: () => this.#pieces(),
      close: () => {
        this.closed += 1;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isClosed = true;
  }

  async *#pieces(): AsyncGenerator<Uint8Array, void> {
    for (let at = 0; this.isEndless || at < this.#bytes.length; at += 65_536) {
      if (at >= this.breaksAfter) throw new ProblemError('SourceClosedEarly', 'it broke off');
      const piece = this.isEndless ? Buffer.alloc(65_536) : this.#bytes.subarray(at, at + 65_536);
      this.givenBytes += piece.length;
      yield piece;
    }
  }
}
