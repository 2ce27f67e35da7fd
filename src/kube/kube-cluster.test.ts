import { describe, expect, test } from 'vitest';
import { type ConfigMap, configMapKind, jobKind, nodeKind } from '../api/core-kinds.ts';
import { systemClock } from '../main/system-clock.ts';
import { collect } from '../testing/collect.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { type ScriptedAnswer, ScriptedApi, type ScriptedRequest } from '../testing/scripted-api.ts';
import { type ApiAccess, fixedIdentity } from './api-access.ts';
import { ApiConnection } from './api-connection.ts';
import { KubeCluster } from './kube-cluster.ts';

const metadata = { namespace: 'a', name: 'x' };
const configMap: ConfigMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { colour: 'red' } };
const stored = {
  ...configMap,
  metadata: { ...metadata, uid: 'u', resourceVersion: '7', managedFields: [{ manager: 'm' }] },
};
const { managedFields: _left, ...withoutManagers } = stored.metadata;
const received = { ...configMap, metadata: withoutManagers };

interface Opened {
  readonly api: ScriptedApi;
  readonly cluster: KubeCluster;
  readonly clock: FakeClock;
}

async function using(
  answer: (request: ScriptedRequest, index: number) => ScriptedAnswer,
  act: (opened: Opened) => Promise<void>,
  options: { readonly access?: Partial<ApiAccess>; readonly answerMs?: number; readonly idleMs?: number } = {},
): Promise<void> {
  await using api = await ScriptedApi.start(answer);
  const clock = new FakeClock();
  const access: ApiAccess = {
    origin: 'the test',
    server: api.url,
    readCa: async () => undefined,
    isUnverified: false,
    namespace: 'default',
    identity: fixedIdentity({ headers: { authorization: 'Bearer s3cret' } }),
    remarks: [],
    ...options.access,
  };
  const connection = new ApiConnection(access, { clock, answerMs: options.answerMs });
  await using cluster = new KubeCluster(connection, { random: () => 0.999_999, idleMs: options.idleMs });
  await act({ api, cluster, clock });
}

describe('KubeCluster', () => {
  test('reads an object and leaves out who manages its fields', async () => {
    await using(
      () => ({ body: stored }),
      async ({ cluster, api }) => {
        expect(await cluster.get(configMapKind, metadata)).toEqual(received);
        expect(api.requests).toMatchObject([
          {
            method: 'GET',
            path: '/api/v1/namespaces/a/configmaps/x',
            query: {},
            headers: { authorization: 'Bearer s3cret', 'user-agent': 'airlift' },
          },
        ]);
      },
    );
  });

  test.each([
    [
      'create',
      (cluster: KubeCluster) => cluster.create(configMapKind, configMap),
      'POST',
      '/api/v1/namespaces/a/configmaps',
      { fieldManager: 'airlift' },
      'application/json',
      configMap,
    ],
    [
      'create without a namespace',
      (cluster: KubeCluster) => cluster.create(nodeKind, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' } }),
      'POST',
      '/api/v1/nodes',
      { fieldManager: 'airlift' },
      'application/json',
      { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' } },
    ],
    [
      'replace',
      (cluster: KubeCluster) => cluster.replace(configMapKind, received),
      'PUT',
      '/api/v1/namespaces/a/configmaps/x',
      { fieldManager: 'airlift' },
      'application/json',
      received,
    ],
    [
      'patch',
      (cluster: KubeCluster) => cluster.patch(configMapKind, metadata, { data: { a: null } }),
      'PATCH',
      '/api/v1/namespaces/a/configmaps/x',
      { fieldManager: 'airlift' },
      'application/merge-patch+json',
      { data: { a: null } },
    ],
    [
      'patch of a status',
      (cluster: KubeCluster) => cluster.patch(jobKind, metadata, { status: {} }, { subresource: 'status' }),
      'PATCH',
      '/apis/batch/v1/namespaces/a/jobs/x/status',
      { fieldManager: 'airlift' },
      'application/merge-patch+json',
      { status: {} },
    ],
    [
      'apply',
      (cluster: KubeCluster) => cluster.apply(configMapKind, configMap, { fieldManager: 'm', force: true }),
      'PATCH',
      '/api/v1/namespaces/a/configmaps/x',
      { fieldManager: 'm', force: 'true' },
      'application/apply-patch+yaml',
      configMap,
    ],
    [
      'delete',
      (cluster: KubeCluster) => cluster.delete(configMapKind, metadata),
      'DELETE',
      '/api/v1/namespaces/a/configmaps/x',
      {},
      'application/json',
      { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background' },
    ],
    [
      'delete of a certain object',
      (cluster: KubeCluster) =>
        cluster.delete(configMapKind, metadata, { uid: 'u', resourceVersion: '7', propagation: 'Foreground' }),
      'DELETE',
      '/api/v1/namespaces/a/configmaps/x',
      {},
      'application/json',
      {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        propagationPolicy: 'Foreground',
        preconditions: { uid: 'u', resourceVersion: '7' },
      },
    ],
  ])('%s is sent as the API has it', async (_name, act, method, path, query, contentType, body) => {
    await using(
      () => ({ body: stored }),
      async ({ cluster, api }) => {
        await act(cluster);
        expect(api.requests).toMatchObject([{ method, path, query, body }]);
        expect(api.requests[0]?.query).toEqual(query);
        expect(api.requests[0]?.headers['content-type']).toBe(contentType);
      },
    );
  });

  test('a server behind a gateway is asked below its path', async () => {
    await using(
      () => ({ body: stored }),
      async ({ api }) => {
        const access = {
          origin: 't',
          server: new URL('/k8s/clusters/c-1/', api.url),
          readCa: async () => undefined,
          isUnverified: false,
          namespace: 'd',
          identity: fixedIdentity({ headers: {} }),
          remarks: [],
        };
        await using cluster = new KubeCluster(new ApiConnection(access, { clock: new FakeClock() }), {
          random: () => 0,
        });
        await cluster.get(configMapKind, metadata);
        expect(api.requests[0]?.path).toBe('/k8s/clusters/c-1/api/v1/namespaces/a/configmaps/x');
      },
    );
  });

  test('lists by pages, with what was selected', async () => {
    const answer = ({ query }: ScriptedRequest) => ({
      body: {
        metadata: { resourceVersion: '9', ...(query.continue ? {} : { continue: 'next' }) },
        items: [{ metadata: { namespace: 'a', name: query.continue ?? 'first' } }],
      },
    });
    await using(answer, async ({ cluster, api }) => {
      const names = (await collect(cluster.list(configMapKind, { labels: { app: 'x' } }))).map(
        (each) => each.metadata.name,
      );
      expect(names).toEqual(['first', 'next']);
      expect(api.requests.map(({ path, query }) => ({ path, query }))).toEqual([
        { path: '/api/v1/configmaps', query: { labelSelector: 'app=x', limit: '100' } },
        { path: '/api/v1/configmaps', query: { labelSelector: 'app=x', limit: '100', continue: 'next' } },
      ]);
    });
  });

  describe('tries again', () => {
    const failing =
      (failures: ScriptedAnswer[]) =>
      (_request: ScriptedRequest, index: number): ScriptedAnswer =>
        failures[index] ?? { body: stored };

    test.each<[string, ScriptedAnswer]>([
      ['a connection that was cut', 'cut'],
      ['503', { status: 503, body: 'not ready' }],
      ['502 with a page of a proxy', { status: 502, body: '<html>' }],
      ['500', { status: 500, body: { message: 'failed calling webhook' } }],
      ['429', { status: 429 }],
    ])('what may be done twice, after %s', async (_what, failure) => {
      for (const act of [
        (cluster: KubeCluster) => cluster.get(configMapKind, metadata),
        (cluster: KubeCluster) => cluster.patch(configMapKind, metadata, {}),
        (cluster: KubeCluster) => cluster.apply(configMapKind, configMap, { fieldManager: 'm' }),
      ]) {
        await using(failing([failure, failure]), async ({ cluster, api, clock }) => {
          expect(await act(cluster)).toEqual(received);
          expect(api.requests.length).toBe(3);
          expect(clock.delays.map(Math.round)).toEqual([250, 500]);
        });
      }
    });

    test('a create only when it was surely not done', async () => {
      await using(failing(['cut']), async ({ cluster, api }) => {
        await expect(cluster.create(configMapKind, configMap)).rejects.toMatchObject({ code: 'ClusterUnreachable' });
        expect(api.requests.length).toBe(1);
      });
      await using(failing([{ status: 429 }]), async ({ cluster, api }) => {
        await cluster.create(configMapKind, configMap);
        expect(api.requests.length).toBe(2);
      });
    });

    test('as long as it is asked to wait, but not for ever', async () => {
      await using(failing([{ status: 429, headers: { 'retry-after': '3' } }]), async ({ cluster, clock }) => {
        await cluster.get(configMapKind, metadata);
        expect(clock.delays).toEqual([3_000]);
      });
      await using(failing([{ status: 429, headers: { 'retry-after': '600' } }]), async ({ cluster, clock }) => {
        await expect(cluster.get(configMapKind, metadata)).rejects.toMatchObject({
          code: 'ClusterBusy',
          context: { retryAfterMs: 600_000 },
        });
        expect(clock.delays).toEqual([]);
      });
    });

    test('five times, and then says what is wrong', async () => {
      await using(
        () => ({ status: 503 }),
        async ({ cluster, api }) => {
          await expect(cluster.get(configMapKind, metadata)).rejects.toMatchObject({
            code: 'ClusterUnreachable',
            context: { status: 503 },
          });
          expect(api.requests.length).toBe(5);
        },
      );
    });

    test.each([400, 403, 404, 405, 409, 422])('not after %i', async (status) => {
      await using(
        () => ({ status }),
        async ({ cluster, api }) => {
          await expect(cluster.patch(configMapKind, metadata, {})).rejects.toHaveProperty('code');
          expect(api.requests.length).toBe(1);
        },
      );
    });
  });

  test('a server that does not answer is given up after its time', async () => {
    await using(
      () => 'silence',
      async ({ cluster }) => {
        await expect(cluster.create(configMapKind, configMap)).rejects.toMatchObject({
          code: 'ClusterUnreachable',
          message: expect.stringContaining('UND_ERR_HEADERS_TIMEOUT'),
        });
      },
      { answerMs: 300 },
    );
  });

  test('nobody at the address is told with the address, and a create is tried again', async () => {
    await using(
      () => 'cut',
      async ({ api, cluster, clock }) => {
        await api[Symbol.asyncDispose]();
        await expect(cluster.create(configMapKind, configMap)).rejects.toMatchObject({
          code: 'ClusterUnreachable',
          message: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+, create ConfigMap a\/x: ECONNREFUSED$/),
        });
        expect(clock.delays.length).toBe(4);
      },
    );
  });

  test('credentials that are refused are had anew once', async () => {
    let current = 'old';
    const identity = {
      current: async () => ({ headers: { authorization: `Bearer ${current}` } }),
      refuse: () => {
        current = 'new';
        return true;
      },
    };
    const answer = ({ headers }: ScriptedRequest) =>
      headers.authorization === 'Bearer new' ? { body: stored } : { status: 401 };
    await using(
      answer,
      async ({ cluster, api }) => {
        expect(await cluster.get(configMapKind, metadata)).toEqual(received);
        expect(api.requests.length).toBe(2);
      },
      { access: { identity } },
    );
    await using(
      () => ({ status: 401 }),
      async ({ cluster, api }) => {
        await expect(cluster.get(configMapKind, metadata)).rejects.toMatchObject({ code: 'ClusterUnauthorized' });
        expect(api.requests.length).toBe(2);
      },
      { access: { identity } },
    );
  });

  test.each<[string, ScriptedAnswer]>([
    ['no JSON', { body: '<html>hello</html>' }],
    ['no object', { body: [1, 2] }],
    ['an object without metadata', { body: { kind: 'ConfigMap' } }],
  ])('an answer that is %s is named as such', async (_what, answer) => {
    await using(
      () => answer,
      async ({ cluster }) => {
        await expect(cluster.get(configMapKind, metadata)).rejects.toMatchObject({ code: 'ClusterFailed' });
      },
    );
  });

  test('a redirect is not followed: the token goes nowhere else', async () => {
    await using(
      () => ({ status: 307, headers: { location: 'http://127.0.0.1:1/' } }),
      async ({ cluster, api }) => {
        await expect(cluster.get(configMapKind, metadata)).rejects.toMatchObject({
          code: 'ClusterFailed',
          context: { status: 307 },
        });
        expect(api.requests.length).toBe(1);
      },
    );
  });

  test('no message holds the token', async () => {
    for (const answer of [
      'cut',
      { status: 401 },
      { status: 403 },
      { status: 500 },
      { body: 'x' },
    ] as ScriptedAnswer[]) {
      await using(
        () => answer,
        async ({ cluster }) => {
          const error = await cluster.get(configMapKind, metadata).catch((each) => each);
          expect(`${error.message} ${JSON.stringify(error.context)} ${error.cause}`).not.toContain('s3cret');
        },
      );
    }
  });

  test('an abort ends a request with its reason and closes the connection', async () => {
    await using(
      () => 'silence',
      async ({ cluster, api }) => {
        const controller = new AbortController();
        const asked = cluster.get(configMapKind, metadata, { signal: controller.signal });
        while (api.requests.length === 0) await systemClock.delay(5);
        controller.abort(new Error('enough'));
        await expect(asked).rejects.toThrow('enough');
        while (api.openConnections > 0) await systemClock.delay(5);
      },
    );
  });

  describe('watch', () => {
    const list = { body: { metadata: { resourceVersion: '5' }, items: [] } };
    const added = (name: string, resourceVersion: string) => ({
      type: 'ADDED',
      object: { ...stored, metadata: { ...stored.metadata, name, resourceVersion } },
    });

    test('asks for bookmarks and for an end some time, from the version of the list', async () => {
      await using(
        ({ query }) => (query.watch ? { lines: [added('x', '6')] } : list),
        async ({ cluster, api }) => {
          for await (const event of cluster.watch(configMapKind, {
            namespace: 'a',
            fields: { 'metadata.name': 'x' },
          })) {
            if (event.type === 'set') break;
          }
          expect(api.requests[1]?.query).toEqual({
            watch: 'true',
            allowWatchBookmarks: 'true',
            resourceVersion: '5',
            fieldSelector: 'metadata.name=x',
            timeoutSeconds: expect.stringMatching(/^[345]\d\d|600$/),
          });
          while (api.openConnections > 0) await systemClock.delay(5);
        },
      );
    });

    test('a connection on which nothing comes any more is given up and made anew, which is no failure', async () => {
      let watches = 0;
      const answer = ({ query }: ScriptedRequest): ScriptedAnswer => {
        if (!query.watch) return list;
        watches += 1;
        return { lines: [added(`n${watches}`, `${5 + watches}`)] };
      };
      await using(
        answer,
        async ({ cluster, api }) => {
          const names: string[] = [];
          const retries: string[] = [];
          for await (const event of cluster.watch(configMapKind, {
            onRetry: (problem) => retries.push(problem.message),
          })) {
            if (event.type === 'set') names.push(event.object.metadata.name);
            if (names.length === 3) break;
          }
          expect(names).toEqual(['n1', 'n2', 'n3']);
          expect(api.requests.at(-1)?.query.resourceVersion).toBe('7');
          expect(retries).toEqual([]);
        },
        { idleMs: 300 },
      );
    });

    test('a line that is no JSON leads to a new connection from the last version', async () => {
      let watches = 0;
      const answer = ({ query }: ScriptedRequest): ScriptedAnswer => {
        if (!query.watch) return list;
        watches += 1;
        return { lines: watches === 1 ? [added('one', '6'), '{"type":"ADD\n'] : [added('two', '7')] };
      };
      await using(answer, async ({ cluster, api }) => {
        const names: string[] = [];
        for await (const event of cluster.watch(configMapKind)) {
          if (event.type === 'set') names.push(event.object.metadata.name);
          if (names.length === 2) break;
        }
        expect(names).toEqual(['one', 'two']);
        expect(api.requests.at(-1)?.query.resourceVersion).toBe('6');
      });
    });
  });
});
