import { expect, test } from 'vitest';
import { deploymentKind } from '../api/core-kinds.ts';
import { addonKind } from '../api/platform-kinds.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { MemoryCluster } from '../testing/memory-cluster.ts';
import { MemoryLog } from '../testing/memory-log.ts';
import { findOldController } from './old-controller.ts';
import { OldControllerWatch } from './old-controller-watch.ts';

const SYSTEM = 'harvester-system';
const OLD_IMAGE = 'rancher/harvester-vm-import-controller:v0.4.1';

interface Given {
  readonly namespace?: string;
  readonly name?: string;
  readonly image?: string;
  readonly replicas?: number;
  readonly labels?: Record<string, string>;
  readonly left?: number;
}

async function cluster({ addon = true }: { readonly addon?: boolean } = {}) {
  const clock = new ManualClock();
  const kinds = addon ? [{ kind: addonKind }] : [];
  const memory = new MemoryCluster({ clock, kinds });
  const deploy = async (given: Given = {}) => {
    const { namespace = SYSTEM, name = 'harvester-vm-import-controller', image = OLD_IMAGE, replicas = 1 } = given;
    await memory.create(deploymentKind, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace, labels: given.labels ?? {} },
      spec: { replicas, template: { spec: { containers: [{ name: 'main', image }] } } },
    });
    if (given.left === undefined) return;
    const status = { replicas: given.left };
    await memory.patch(deploymentKind, { namespace, name }, { status }, { subresource: 'status' });
  };
  const enable = async (enabled: boolean) => {
    await memory.apply(
      addonKind,
      {
        apiVersion: 'harvesterhci.io/v1beta1',
        kind: 'Addon',
        metadata: { name: 'vm-import-controller', namespace: SYSTEM },
        spec: { enabled },
      },
      { fieldManager: 'test', force: true },
    );
  };
  return { clock, memory, deploy, enable };
}

test('nothing is found where there is nothing, nor where there is no Harvester at all', async () => {
  const { memory } = await cluster();
  expect(await findOldController(memory)).toEqual({ found: undefined, unseen: [] });
  expect((await findOldController((await cluster({ addon: false })).memory)).found).toBeUndefined();
});

test.each<[string, Given]>([
  ['by its name', {}],
  ['by the name without the override', { name: 'vm-import-controller-harvester-vm-import-controller' }],
  [
    'by its label, wherever it is',
    { namespace: 'else', name: 'own', labels: { 'app.kubernetes.io/name': 'harvester-vm-import-controller' } },
  ],
  ['while it is being stopped', { replicas: 0, left: 1 }],
])('its Deployment is found %s', async (_, given) => {
  const { memory, deploy } = await cluster();
  await deploy(given);
  expect((await findOldController(memory)).found).toContain(OLD_IMAGE);
});

test.each<[string, Given]>([
  ['has no replica', { replicas: 0 }],
  ['is ours, under whatever registry', { image: 'registry.example:5000/team/airlift:1.0@sha256:abc' }],
])('a Deployment that %s is none', async (_, given) => {
  const { memory, deploy } = await cluster();
  await deploy(given);
  expect((await findOldController(memory)).found).toBeUndefined();
});

test('an add-on that is enabled brings it back, unless its release is ours', async () => {
  const { memory, deploy, enable } = await cluster();
  await enable(true);
  expect((await findOldController(memory)).found).toContain('Addon');
  await deploy({ image: 'airlift:1', labels: { 'app.kubernetes.io/instance': 'vm-import-controller' } });
  expect((await findOldController(memory)).found).toBeUndefined();
  await enable(false);
  expect((await findOldController(memory)).found).toBeUndefined();
});

test('it is waited for, told once when found and once when gone, and found when it comes back', async () => {
  const { clock, memory, deploy } = await cluster();
  const log = new MemoryLog();
  const told: string[] = [];
  const about = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'a', namespace: 'b' } };
  const events = { record: (_: object, { reason }: { reason: string }) => void told.push(reason) };
  const watch = new OldControllerWatch({ cluster: memory, clock, log, events, about, everyMs: 30_000 });
  await deploy();
  let isGone = false;
  const waiting = watch.waitUntilGone().then(() => {
    isGone = true;
  });
  for (let looks = 0; looks < 3; looks += 1) await clock.advance(30_000);
  expect(isGone).toBe(false);
  expect(watch.found).toContain('harvester-vm-import-controller');
  await memory.delete(deploymentKind, { namespace: SYSTEM, name: 'harvester-vm-import-controller' });
  await clock.advance(30_000);
  await waiting;
  expect(told).toEqual(['OldControllerRuns', 'OldControllerGone']);
  const back = watch.waitUntilBack();
  await clock.advance(30_000);
  await deploy();
  await clock.advance(30_000);
  expect(await back).toContain(OLD_IMAGE);
  expect(log.messages.filter((each) => each.startsWith('warn'))).toHaveLength(2);
});
