import { describe, expect, test } from 'vitest';
import {
  DONE_BYTES_HEADER,
  PROBLEM_DETAIL_HEADER,
  PROBLEM_HEADER,
  type TransferProgress,
} from '../api/transfer-protocol.ts';
import { ProblemError } from '../domain/problems.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { type EndpointAnswer, EndpointClient, type EndpointRequest } from './endpoint-client.ts';
import { EndpointLink } from './endpoint-link.ts';
import { TokenFile } from './token-file.ts';

const done: EndpointAnswer = { status: 204, headers: {}, body: new Uint8Array() };
const unreachable = new ProblemError('EndpointUnreachable', 'no route');
const progress: TransferProgress = { phase: 'copy', doneBytes: 1, checkpointBytes: 0, remarks: [] };

function refusal(code: string, status: number, detail = ''): EndpointAnswer {
  const headers = { [PROBLEM_HEADER]: code, [PROBLEM_DETAIL_HEADER]: encodeURIComponent(detail) };
  return { status, headers, body: new Uint8Array() };
}

/** A client whose calls are answered one after the other; the last answer stays. */
function begin(...answers: readonly (EndpointAnswer | Error)[]) {
  const left = [...answers];
  const clock = new FakeClock();
  const asked: EndpointRequest[] = [];
  const cutOff: string[] = [];
  const link = new EndpointLink(clock);
  let tokensRead = 0;
  const readToken = async () => {
    tokensRead += 1;
    return `token-${tokensRead}\n`;
  };
  const client = new EndpointClient({
    run: { id: 'uid.0', epoch: 3 },
    send: async (request, { signal } = {}) => {
      asked.push(request);
      signal?.throwIfAborted();
      const answer = left.length > 1 ? left.shift() : left[0];
      if (answer === undefined || answer instanceof Error) throw answer;
      return answer;
    },
    token: new TokenFile('/token', readToken, clock),
    link,
    clock,
    random: () => 0.5,
    onCutOff: ({ code }) => cutOff.push(code),
  });
  return { client, clock, asked, cutOff, link };
}

describe('what a worker asks', () => {
  test('names its run and shows its token', async () => {
    const { client, asked } = begin(done);
    await client.saveCheckpoint(Buffer.from('bytes'), 77);
    expect(asked).toMatchObject([
      {
        method: 'PUT',
        path: '/v1/transfers/uid.0/3/checkpoint',
        headers: { authorization: 'Bearer token-1', [DONE_BYTES_HEADER]: '77' },
      },
    ]);
  });

  test('is asked for as long as it takes, with growing pauses up to ten seconds', async () => {
    const { client, clock, asked, link } = begin(...Array.from({ length: 30 }, () => unreachable), done);
    await client.removeCheckpoint();
    expect(asked).toHaveLength(31);
    expect(Math.max(...clock.delays)).toBeLessThanOrEqual(10_000);
    expect(clock.delays.at(-1)).toBeGreaterThan(clock.delays[0] ?? 0);
    expect(link.isAway).toBe(false);
  });

  test('also past what the controller itself cannot do now', async () => {
    const { client, asked } = begin(refusal('ClusterUnreachable', 503), refusal('Brandnew', 500, 'of tomorrow'), done);
    await client.reportOutcome({ problem: { code: 'SourceNotFound', detail: '' } });
    expect(asked).toHaveLength(3);
  });

  test('stops being asked when its signal says so', async () => {
    const { client } = begin(unreachable);
    await expect(client.waitUntilThere({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
  });

  test('is not asked again when nobody understood it', async () => {
    const { client, asked } = begin(refusal('EndpointNotUnderstood', 400, 'airlift-done-bytes is no number'));
    await expect(client.saveCheckpoint(new Uint8Array(), 1)).rejects.toMatchObject({ code: 'EndpointNotUnderstood' });
    expect(asked).toHaveLength(1);
  });

  test('what is no JSON is not understood, and not repeated: it may hold a token', async () => {
    const page = { status: 200, headers: {}, body: Buffer.from('<html>secret</html>') };
    for (const ask of ['readAssignment', 'readUpload', 'isTaken'] as const) {
      const { client } = begin(page);
      const error = await client[ask]().catch((each: unknown) => each);
      expect(error).toMatchObject({ code: 'EndpointNotUnderstood' });
      expect(String(error)).not.toContain('secret');
    }
  });

  test('an assignment that is none is named by its field', async () => {
    const { client } = begin({ status: 200, headers: {}, body: Buffer.from('{"disk":{"id":"1","index":-1}}') });
    await expect(client.readAssignment()).rejects.toMatchObject({ code: 'EndpointNotUnderstood' });
  });

  test('no checkpoint is no bytes', async () => {
    expect(await begin(done).client.loadCheckpoint()).toBeUndefined();
    const body = Buffer.from('stored');
    expect(await begin({ status: 200, headers: {}, body }).client.loadCheckpoint()).toEqual(body);
  });
});

describe('a run that is over', () => {
  test.each([
    ['TransferSuperseded', 409],
    ['TransferUnknown', 404],
  ])('is told at once: %s', async (code, status) => {
    const { client, cutOff, asked } = begin(refusal(code, status));
    await expect(client.saveCheckpoint(new Uint8Array(), 1)).rejects.toMatchObject({ code });
    expect(cutOff).toEqual([code]);
    expect(asked).toHaveLength(1);
  });

  test('is learnt of from an answer in place of the source too', () => {
    const { client, cutOff } = begin(done);
    expect(client.readProblem(refusal('TransferSuperseded', 409, 'ünd').headers)?.message).toBe('ünd');
    expect(client.readProblem({})).toBeUndefined();
    expect(cutOff).toEqual(['TransferSuperseded']);
  });

  test('is taken for over when reports are refused five times in a row: a Pod that is gone has no token', async () => {
    const { client, cutOff } = begin(refusal('EndpointRefused', 401));
    for (let times = 0; times < 4; times += 1) await expect(client.reportProgress(progress)).rejects.toThrow();
    expect(cutOff).toEqual([]);
    await expect(client.reportProgress(progress)).rejects.toThrow();
    expect(cutOff).toEqual(['EndpointRefused']);
  });

  test('but not for refusals between which it was let in', async () => {
    const four = Array.from({ length: 4 }, () => refusal('EndpointRefused', 401));
    const { client, cutOff } = begin(...four, done, ...four, done);
    for (let times = 0; times < 10; times += 1) await client.reportProgress(progress).catch(() => {});
    expect(cutOff).toEqual([]);
  });
});

describe('a token that is refused', () => {
  test('is read again for the next call', async () => {
    const { client, asked } = begin(refusal('EndpointRefused', 401), done);
    await client.removeCheckpoint();
    expect(asked.map(({ headers }) => headers.authorization)).toEqual(['Bearer token-1', 'Bearer token-2']);
  });

  test('five times in a row ends what was asked', async () => {
    const { client, asked } = begin(refusal('EndpointRefused', 403, 'not the worker'));
    await expect(client.loadCheckpoint()).rejects.toMatchObject({ code: 'EndpointRefused' });
    expect(asked).toHaveLength(5);
  });
});

describe('whether the endpoint is there', () => {
  test('is asked once', async () => {
    expect(await begin(done).client.isThere()).toBe(true);
    const away = begin(unreachable);
    expect(await away.client.isThere()).toBe(false);
    expect(away.link.isAway).toBe(true);
    await expect(begin(refusal('TransferUnknown', 404)).client.isThere()).rejects.toMatchObject({
      code: 'TransferUnknown',
    });
  });
});
