import { describe, expect, test } from 'vitest';
import { ProblemError } from '../../domain/problems.ts';
import { fakeReviews } from '../../testing/fake-transfer-desk.ts';
import { ManualClock, settle } from '../../testing/manual-clock.ts';
import { TokenReviews } from './token-reviews.ts';

const TOKENS = { good: { node: 'node1' }, other: { podUid: 'uid-2' } };

function make(tokens: Parameters<typeof fakeReviews>[0] = TOKENS) {
  const clock = new ManualClock();
  const { reviewed, reviewToken } = fakeReviews(tokens);
  return { clock, reviewed, reviews: new TokenReviews(reviewToken, clock) };
}

describe('reviews of tokens', () => {
  test('tell whose a token is, with its Pod and node', async () => {
    const { reviews } = make();
    expect(await reviews.identify('Bearer good')).toEqual({
      namespace: 'team',
      serviceAccount: 'default',
      podName: 'airlift-x-0-1-abcde',
      podUid: 'uid-1',
      node: 'node1',
    });
  });

  test('are believed for half a minute', async () => {
    const { clock, reviewed, reviews } = make();
    for (const ms of [0, 29_000]) {
      clock.ms += ms;
      await reviews.identify('Bearer good');
    }
    expect(reviewed).toHaveLength(1);
    clock.ms += 1_000;
    await reviews.identify('Bearer good');
    expect(reviewed).toHaveLength(2);
  });

  test('of one token are not taken for another’s', async () => {
    const { reviews } = make();
    expect((await reviews.identify('Bearer good')).podUid).toBe('uid-1');
    expect((await reviews.identify('Bearer other')).podUid).toBe('uid-2');
  });

  test('that refuse are asked again after two seconds, not before', async () => {
    const tokens: Record<string, object> = {};
    const { clock, reviewed, reviews } = make(tokens);
    await expect(reviews.identify('Bearer young')).rejects.toMatchObject({ code: 'EndpointRefused' });
    tokens.young = {};
    await expect(reviews.identify('Bearer young')).rejects.toMatchObject({ code: 'EndpointRefused' });
    clock.ms += 2_000;
    expect((await reviews.identify('Bearer young')).podUid).toBe('uid-1');
    expect(reviewed).toHaveLength(2);
  });

  test('that fail are not remembered', async () => {
    let isAway = true;
    const reviews = new TokenReviews(async () => {
      if (isAway) throw new ProblemError('ClusterUnreachable', 'away');
      return { audiences: ['airlift'], namespace: 'n', serviceAccount: 's', podName: 'p', podUid: 'u' };
    }, new ManualClock());
    await expect(reviews.identify('Bearer good')).rejects.toMatchObject({ code: 'ClusterUnreachable' });
    isAway = false;
    expect((await reviews.identify('Bearer good')).podUid).toBe('u');
  });

  test('of one token under way are shared; too many of different ones are turned away', async () => {
    let asked = 0;
    let answer = () => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const reviews = new TokenReviews(async () => {
      asked += 1;
      await answered;
      return undefined;
    }, new ManualClock());
    const waiting = Array.from({ length: 100 }, () => reviews.identify('Bearer same').catch(() => 'refused'));
    await settle();
    expect(asked).toBe(1);
    const tried = Array.from({ length: 40 }, (_, index) =>
      reviews.identify(`Bearer try${index}`).catch((error: ProblemError) => error.code),
    );
    await settle();
    expect(asked).toBe(32);
    answer();
    expect(await Promise.all(waiting)).toEqual(waiting.map(() => 'refused'));
    expect((await Promise.all(tried)).filter((code) => code === 'ClusterBusy')).toHaveLength(9);
  });

  test('never hold more than some thousands', async () => {
    const { reviewed, reviews } = make();
    for (let index = 0; index < 2_100; index += 1)
      await reviews.identify(`Bearer nobody${index}`).catch(() => undefined);
    await reviews.identify('Bearer nobody2099').catch(() => undefined);
    expect(reviewed).toHaveLength(2_100);
    await reviews.identify('Bearer nobody0').catch(() => undefined);
    expect(reviewed).toHaveLength(2_101);
  });
});
