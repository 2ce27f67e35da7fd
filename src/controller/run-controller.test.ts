import { afterEach, expect, test, vi } from 'vitest';
import { eventKind, leaseKind } from '../api/core-kinds.ts';
import { customResourceDefinitionKind, customResourceDefinitions } from '../api/custom-resource-definition.ts';
import { openstackSourceKind } from '../api/openstack-source.ts';
import { ovaSourceKind } from '../api/ova-source.ts';
import { addonKind, networkAttachmentDefinitionKind, virtualMachineKind } from '../api/platform-kinds.ts';
import { virtualMachineImportKind } from '../api/virtual-machine-import.ts';
import { vmwareSourceKind } from '../api/vmware-source.ts';
import { ProblemError } from '../domain/problems.ts';

import { ManualClock } from '../testing/manual-clock.ts';
import { MemoryCluster } from '../testing/memory-cluster.ts';
import { MemoryLog } from '../testing/memory-log.ts';
import { upstreamCrds } from '../testing/upstream/crds.ts';
import { ControllerMetrics } from './metrics.ts';
import { readSettings } from './read-settings.ts';
import { runController } from './run-controller.ts';

const NAMESPACE = 'airlift-system';
const environment = {
  AIRLIFT_NAMESPACE: NAMESPACE,
  AIRLIFT_POD: 'controller-0',
  AIRLIFT_IMAGE: 'airlift:test',
  AIRLIFT_ENDPOINT_HOST: '127.0.0.1',
  AIRLIFT_ENDPOINT_PORT: '0',
  AIRLIFT_HEALTH_PORT: '0',
};
const running: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of running.splice(0)) await each[Symbol.asyncDispose]();
});

function world() {
  const clock = new ManualClock();
  clock.ms = Date.parse('2026-11-01T10:00:00Z');
  const withStatus = [virtualMachineImportKind, ovaSourceKind, vmwareSourceKind, openstackSourceKind];
  const others = [virtualMachineKind, networkAttachmentDefinitionKind, addonKind, customResourceDefinitionKind];
  const cluster = new MemoryCluster({
    clock,
    kinds: [...withStatus.map((kind) => ({ kind, hasStatus: true })), ...others.map((kind) => ({ kind }))],
  });
  const install = async (definitions: readonly object[]) => {
    for (const each of definitions as ReturnType<typeof customResourceDefinitions>)
      await cluster.apply(customResourceDefinitionKind, each, { fieldManager: 'test', force: true });
  };
  const events = async () => {
    const found: (string | undefined)[] = [];
    for await (const each of cluster.list(eventKind, { namespace: NAMESPACE }))
      if (each.involvedObject?.kind === 'Lease') found.push(each.reason);
    return found;
  };
  return { clock, cluster, install, events };
}

function begin({ clock, cluster }: ReturnType<typeof world>, instance = 'a') {
  const log = new MemoryLog();
  const stop = new AbortController();
  const metrics = new ControllerMetrics('1.2.3');
  const parts = { cluster: cluster.connect(instance), clock, random: () => 0.5, log, metrics, adapters: [] };
  let end: unknown = 'running';
  const done = runController({ ...parts, airliftVersion: '1.2.3' }, readSettings(environment, instance), {
    signal: stop.signal,
  }).then(
    () => {
      end = 'ended';
    },
    (error: unknown) => {
      end = error;
    },
  );
  const ask = async (path: string) => {
    const port = log.lines.find(({ message }) => message === 'standing by')?.fields.health;
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    return { status: answer.status, text: await answer.text() };
  };
  const controller = {
    log,
    ask,
    end: () => end,
    stop: async () => {
      stop.abort(new Error('told to stop'));
      await done;
    },
    /** Lets time go on until it is so. */
    until: (isSo: () => Promise<void> | void) =>
      vi.waitFor(
        async () => {
          await clock.advance(5_000);
          await isSo();
        },
        { timeout: 10_000, interval: 20 },
      ),
    [Symbol.asyncDispose]: () => controller.stop(),
  };
  running.push(controller);
  return controller;
}

test('it leads, is ready, shows its figures, and gives its Lease back when told to stop', async () => {
  const here = world();
  await here.install(customResourceDefinitions());
  const controller = begin(here);
  await controller.until(async () => expect(await controller.ask('/readyz')).toEqual({ status: 200, text: 'ok\n' }));
  const { text } = await controller.ask('/metrics');
  expect(text).toContain('airlift_leading 1');
  expect(text).toContain('airlift_build_info{version="1.2.3"} 1');
  await controller.stop();
  expect(controller.end()).toBe('ended');
  const lease = await here.cluster.get(leaseKind, { namespace: NAMESPACE, name: 'airlift-controller' });
  expect(lease?.spec?.holderIdentity ?? '').toBe('');
  expect(controller.log.messages).toContain('info stopped');
});

test('of two the second stands by and says so, and leads when the first is gone', async () => {
  const here = world();
  await here.install(customResourceDefinitions());
  const first = begin(here, 'a');
  await first.until(async () => expect((await first.ask('/readyz')).status).toBe(200));
  const second = begin(here, 'b');
  await second.until(async () => expect((await second.ask('/readyz')).text).toContain('another process leads'));
  expect((await second.ask('/healthz')).status).toBe(200);
  expect((await second.ask('/metrics')).text).toContain('airlift_leading 0');
  await first.stop();
  await second.until(async () => expect((await second.ask('/readyz')).status).toBe(200));
});

test("with the old controller's definitions it does nothing and says what they lack, until they are ours", async () => {
  const here = world();
  await here.install(upstreamCrds);
  const controller = begin(here);
  await controller.until(async () => expect((await controller.ask('/readyz')).text).toContain('is of another version'));
  await controller.until(async () => expect(await here.events()).toEqual(['KindsOutdated']));
  expect(controller.log.messages).not.toContain('info leading');
  await here.install(customResourceDefinitions());
  await controller.until(async () => expect((await controller.ask('/readyz')).status).toBe(200));
});

test('when it may not watch what it needs it ends, gives its Lease back, and the event stays', async () => {
  const here = world();
  await here.install(customResourceDefinitions());
  const forbidden = new ProblemError('ClusterForbidden', 'may not watch jobs.batch');
  here.cluster.failNext({ verb: 'watch', kind: 'Job' }, forbidden, { times: 1000 });
  const controller = begin(here);
  await controller.until(() => expect(controller.end()).toBe(forbidden));
  expect(await here.events()).toEqual(['ClusterForbidden']);
  await expect(controller.ask('/healthz')).rejects.toThrow();
});
