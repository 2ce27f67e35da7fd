import { describe, expect, test } from 'vitest';
import { type ConfigMap, configMapKind } from '../api/core-kinds.ts';
import { ProblemError } from '../domain/problems.ts';
import type { ClusterEvent } from '../ports/cluster.ts';
import { ManualClock, settle } from '../testing/manual-clock.ts';
import { watchObjects } from './watch-objects.ts';

const item = (name: string, version: number, uid = name) => ({
  metadata: { namespace: 'a', name, uid, resourceVersion: String(version) },
});
const page = (version: number, items: object[], next?: string) => ({ items, version: String(version), next });
const event = (type: string, object: object) => ({ type, object });
const bookmark = (version: number) => event('BOOKMARK', { metadata: { resourceVersion: String(version) } });
const problem = (code: 'ClusterUnreachable' | 'ClusterForbidden', context = {}) =>
  new ProblemError(code, 'by the test', { context });
const expired = () => new ProblemError('ClusterFailed', 'too old', { context: { status: 410 } });
const expiredEvent = event('ERROR', { code: 410, reason: 'Expired', message: 'too old resource version' });

type Step = object | number | Error | 'end';

/** Answers lists and streams in order. A stream stays open after its steps, until one says `end` or is an error. */
function script(lists: (ReturnType<typeof page> | Error)[], streams: (Step[] | Error)[]) {
  const clock = new ManualClock();
  const controller = new AbortController();
  const { signal } = controller;
  const asked: string[] = [];
  const retries: [string, number][] = [];
  const told: string[] = [];
  let failure: unknown;
  const source = {
    clock,
    random: () => 0.999_999,
    asked: { verb: 'watch', kind: configMapKind } as const,
    async getPage(token: string | undefined) {
      asked.push(`list ${token ?? ''}`.trim());
      const answer = lists.shift() ?? problem('ClusterUnreachable');
      if (answer instanceof Error) throw answer;
      return answer;
    },
    async openStream(version: string) {
      asked.push(`watch ${version}`);
      const steps = streams.shift() ?? [];
      if (steps instanceof Error) throw steps;
      return (async function* () {
        for (const step of steps) {
          if (step === 'end') return;
          if (step instanceof Error) throw step;
          yield step;
        }
        await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      })();
    },
  };
  const describeEvent = (each: ClusterEvent<ConfigMap>) =>
    each.type === 'synced'
      ? 'synced'
      : `${each.type} ${each.object.metadata.name}@${each.object.metadata.resourceVersion}`;
  const ended = (async () => {
    try {
      const onRetry = (error: Error, afterMs: number) => retries.push([error.message, Math.round(afterMs)]);
      for await (const each of watchObjects(configMapKind, source, { signal, onRetry })) told.push(describeEvent(each));
    } catch (error) {
      failure = error;
    }
  })();
  return {
    clock,
    asked,
    retries,
    told,
    ended,
    failure: () => failure,
    lists,
    streams,
    async [Symbol.asyncDispose]() {
      controller.abort(new Error('the test is over'));
      await ended;
    },
  };
}

describe('watchObjects', () => {
  test('lists page by page, says synced, and follows from the version of the list', async () => {
    await using watch = script(
      [page(5, [item('a', 1)], 't'), page(5, [item('b', 2)])],
      [[event('ADDED', item('c', 6)), event('MODIFIED', item('a', 7)), event('DELETED', item('b', 8))]],
    );
    await settle();
    expect(watch.told).toEqual(['set a@1', 'set b@2', 'synced', 'set c@6', 'set a@7', 'gone b@8']);
    expect(watch.asked).toEqual(['list', 'list t', 'watch 5']);
  });

  test('a stream that the server ends after its time is opened again at once, where it was', async () => {
    await using watch = script(
      [page(5, [])],
      [[event('ADDED', item('a', 6)), bookmark(9), 'end'], [event('ADDED', item('b', 10))]],
    );
    await settle();
    expect(watch.told).toEqual(['synced', 'set a@6', 'set b@10']);
    expect(watch.asked).toEqual(['list', 'watch 5', 'watch 9']);
    expect(watch.retries).toEqual([]);
  });

  test('a lost connection is opened again after a pause, with what went wrong told', async () => {
    await using watch = script(
      [page(5, [])],
      [[event('ADDED', item('a', 6)), problem('ClusterUnreachable')], problem('ClusterUnreachable'), []],
    );
    await settle();
    expect(watch.retries).toEqual([['by the test', 400]]);
    await watch.clock.advance(400);
    expect(watch.retries[1]).toEqual(['by the test', 800]);
    await watch.clock.advance(800);
    expect(watch.asked).toEqual(['list', 'watch 5', 'watch 6', 'watch 6']);
    expect(watch.told).toEqual(['synced', 'set a@6']);
  });

  test('pauses grow to half a minute while nothing works, and a wait that is asked for counts', async () => {
    const failures = Array.from({ length: 12 }, () => problem('ClusterUnreachable'));
    await using watch = script([page(5, [])], [...failures, problem('ClusterUnreachable', { retryAfterMs: 29_999 })]);
    await watch.clock.advance(10 * 60_000);
    expect(watch.retries.map(([, afterMs]) => afterMs).slice(0, 9)).toEqual([
      400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000,
    ]);
  });

  test('a server that hangs up at once is not asked without pause', async () => {
    await using watch = script(
      [page(5, [])],
      Array.from({ length: 50 }, () => ['end'] as Step[]),
    );
    await watch.clock.advance(10_000);
    expect(watch.asked.length).toBeLessThan(10);
  });

  test.each([
    ['the answer', expired()],
    ['an event', [expiredEvent]],
  ])(
    'a version that is too old (said by %s) leads to a new list: only what changed is told, and what is missing is gone',
    async (_by, stream) => {
      await using watch = script(
        [page(5, [item('same', 1), item('changed', 2), item('gone', 3), item('again', 4, 'uid-1')])],
        [stream as Step[]],
      );
      await settle();
      watch.lists.push(page(20, [item('same', 1), item('changed', 12), item('again', 15, 'uid-2'), item('new', 16)]));
      await watch.clock.advance(1_000);
      expect(watch.told.slice(0, 5)).toEqual(['set same@1', 'set changed@2', 'set gone@3', 'set again@4', 'synced']);
      expect(watch.told.slice(5)).toEqual([
        'set changed@12',
        'gone again@4',
        'set again@15',
        'set new@16',
        'gone gone@3',
      ]);
      expect(watch.asked.at(-1)).toBe('watch 20');
    },
  );

  test("a version that is too old is nobody's fault: the list is made at once", async () => {
    await using watch = script([page(5, []), page(9, [])], [[expiredEvent]]);
    await settle();
    expect(watch.asked).toEqual(['list', 'watch 5', 'list', 'watch 9']);
    expect(watch.retries).toEqual([['configmaps: answered with status 410: too old resource version', 0]]);
  });

  test('a list that is lost or forgotten midway is begun again, and what vanished in between is gone', async () => {
    await using watch = script(
      [
        page(5, [item('a', 1), item('b', 2)], 't'),
        expired(),
        page(8, [item('a', 1)], 'u'),
        problem('ClusterUnreachable'),
      ],
      [],
    );
    await settle();
    watch.lists.push(page(9, [item('a', 1), item('c', 9)]));
    await watch.clock.advance(5_000);
    expect(watch.told).toEqual(['set a@1', 'set b@2', 'set c@9', 'gone b@2', 'synced']);
  });

  test.each([
    ['something else than events', [{ kind: 'Status' }]],
    ['an event without an object', [event('ADDED', {})]],
    ['a number', [7]],
    ['an error of the server', [event('ERROR', { code: 500, message: 'etcd' })]],
  ])('a stream with %s is opened again where it was', async (_what, bad) => {
    await using watch = script([page(5, [])], [[event('ADDED', item('a', 6)), ...bad], [event('ADDED', item('b', 7))]]);
    await settle();
    expect(watch.retries.length).toBe(1);
    await watch.clock.advance(1_000);
    expect(watch.asked).toEqual(['list', 'watch 5', 'watch 6']);
    expect(watch.told).toEqual(['synced', 'set a@6', 'set b@7']);
  });

  test('a refusal at the beginning is final', async () => {
    await using watch = script([problem('ClusterForbidden')], []);
    await watch.ended;
    expect(watch.failure()).toMatchObject({ code: 'ClusterForbidden' });
  });

  test('a refusal later is final when it lasts for a minute', async () => {
    const refusals = Array.from({ length: 30 }, () => problem('ClusterForbidden'));
    await using watch = script([page(5, [])], [['end'], ...refusals]);
    await watch.clock.advance(59_000);
    expect(watch.failure()).toBeUndefined();
    await watch.clock.advance(60_000);
    expect(watch.failure()).toMatchObject({ code: 'ClusterForbidden' });
  });

  test.each<[string, Step[][]]>([
    ['a server that starts', [['end']]],
    ['one that went away between the list and the stream', []],
  ])('a refusal for a moment, as by %s, is not seen', async (_, before) => {
    await using watch = script(
      [page(5, [])],
      [...before, problem('ClusterForbidden'), problem('ClusterForbidden'), [event('ADDED', item('a', 6))]],
    );
    await watch.clock.advance(5_000);
    expect(watch.told).toEqual(['synced', 'set a@6']);
  });

  test('a bug is not taken for a bad connection', async () => {
    await using watch = script([page(5, [])], [[new TypeError('oops')]]);
    await watch.ended;
    expect(watch.failure()).toBeInstanceOf(TypeError);
  });

  test('an abort ends it with its reason, also during a pause', async () => {
    const watch = script([page(5, [])], [problem('ClusterUnreachable')]);
    await settle();
    expect(watch.clock.waiting).toBe(1);
    await watch[Symbol.asyncDispose]();
    expect(watch.failure()).toMatchObject({ message: 'the test is over' });
    expect(watch.clock.waiting).toBe(0);
  });
});
