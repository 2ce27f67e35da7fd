// The figures of many imports: a real API server and Job controller, the controller as a process of its own, and workers that move no bytes.
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildProduct } from '../../scripts/build.ts';
import { virtualMachineImportKind } from '../../src/api/virtual-machine-import.ts';
import type { JsonObject } from '../../src/ports/cluster.ts';
import { canStartCluster } from '../../src/testing/cluster/can-start-cluster.ts';
import { ROOT } from '../support.ts';
import { ControllerProcess } from './controller-process.ts';
import { SimulatedSite } from './simulated-site.ts';
import { SimulatedWorkers } from './simulated-workers.ts';

/** The full size is 1000 and 10000. */
const IMPORTS = Number(process.env.AIRLIFT_SCALE ?? 100);
const FINISHED = 10 * IMPORTS;
const AT_ONCE = 20;
/** Elections, the look for the old controller, and watches that are made anew. */
const IDLE_MS = 40_000;
const SETTLE_MS = 5_000;
const MOST_IDLE_MIB = 120;

describe.skipIf(!canStartCluster())('many imports', () => {
  let site: SimulatedSite;
  let controller: ControllerProcess;
  let script: string;
  const folder = mkdtempSync(join(ROOT, 'node_modules', '.airlift-scale-'));
  const settings = {
    AIRLIFT_TRANSFERS: '1000',
    AIRLIFT_TRANSFERS_PER_HOST: '1000',
    AIRLIFT_TRANSFERS_PER_NODE: '1000',
  };

  beforeAll(async () => {
    // Compiled, as the image has it: stripping types at run time takes memory of its own.
    if (!buildProduct(join(folder, 'dist'))) throw new Error('it does not compile');
    copyFileSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
    script = join(folder, 'dist/main/controller.js');
    site = await SimulatedSite.start({ disks: 1 });
  });
  afterAll(async () => {
    await controller?.stop();
    await site?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  test('idle on an empty cluster it takes little memory, and asks little', async () => {
    controller = await start();
    await delay(SETTLE_MS);
    const before = await controller.readMetric('airlift_api_requests_total');
    await delay(IDLE_MS);
    const perSecond = ((await controller.readMetric('airlift_api_requests_total')) - before) / (IDLE_MS / 1000);
    const { nowMib } = memoryOf(controller.pid);
    console.info(`idle: ${nowMib} MiB, ${perSecond.toFixed(2)} requests a second`);
    await controller.stop();
    expect(perSecond).toBeLessThan(1);
    expect(nowMib).toBeLessThan(MOST_IDLE_MIB);
  }, 120_000);

  test(`${IMPORTS} created at once all reach their end`, async () => {
    controller = await start();
    const errors: unknown[] = [];
    await using _workers = new SimulatedWorkers({
      cluster: site.api,
      endpointUrl: controller.url,
      readCa: () => site.readEndpointCa(),
      onError: (error) => errors.push(error),
    });
    const began = performance.now();
    const names = Array.from({ length: IMPORTS }, (_, index) => `web-${index}`);
    await eachOf(names, async (name) => {
      await site.createImport(name);
    });
    const created = performance.now();
    await allFinished(IMPORTS, 600_000);
    const finished = performance.now();
    const { peakMib } = memoryOf(controller.pid);
    // Elections go on all the time; tokens are only read.
    const writes =
      (await countWrites()) -
      (await countWrites('leases.coordination.k8s.io')) -
      (await countWrites('tokenreviews.authentication.k8s.io'));
    const latency = await quantileOf('airlift_reconcile_seconds', 0.99);
    const wait = await quantileOf('airlift_queue_wait_seconds', 0.99);
    console.info(
      [
        `${IMPORTS} imports: created in ${seconds(created - began)}, all finished after ${seconds(finished - began)}`,
        `controller at most ${peakMib} MiB, ${(writes / IMPORTS).toFixed(1)} writes an import with its checkpoints`,
        `99 of 100 decisions took at most ${latency} s, after waiting at most ${wait} s`,
      ].join('; '),
    );
    expect(errors).toEqual([]);
    expect(peakMib).toBeLessThan(300);
    expect(writes / IMPORTS).toBeLessThanOrEqual(20);
  }, 900_000);

  test(`${FINISHED} finished ones cost a restart little, and nothing afterwards`, async () => {
    await controller.stop();
    const one = await site.readImport('web-0');
    const names = Array.from({ length: FINISHED - IMPORTS }, (_, index) => `old-${index}`);
    await eachOf(names, async (name) => {
      await site.createImport(name);
      const status = { ...one?.status } as JsonObject;
      await site.api.patch(
        virtualMachineImportKind,
        { namespace: 'default', name },
        { status },
        { subresource: 'status' },
      );
    });
    const began = performance.now();
    controller = await start();
    while ((await controller.askHealth('/readyz')).status !== 200) {
      if (performance.now() - began > 60_000) throw new Error(controller.output);
      await delay(50);
    }
    const ready = performance.now();
    expect(await controller.readMetric('airlift_imports', { phase: 'Finished' })).toBe(FINISHED);
    await delay(SETTLE_MS);
    const before = await controller.readMetric('airlift_api_requests_total');
    await delay(IDLE_MS);
    const requests = (await controller.readMetric('airlift_api_requests_total')) - before;
    const { nowMib } = memoryOf(controller.pid);
    const perSecond = requests / (IDLE_MS / 1000);
    console.info(
      `${FINISHED} finished imports: ready ${seconds(ready - began)} after the start; idle ${perSecond.toFixed(2)} requests a second, ${nowMib} MiB`,
    );
    expect(perSecond).toBeLessThan(1);
    expect(await countWrites('virtualmachineimports.migration.harvesterhci.io')).toBe(0);
  }, 600_000);

  async function start(): Promise<ControllerProcess> {
    return await ControllerProcess.start({
      cluster: site.cluster,
      user: site.user,
      image: 'simulated',
      env: settings,
      script,
    });
  }

  async function countWrites(resource?: string): Promise<number> {
    let writes = 0;
    for (const verb of ['create', 'patch', 'update', 'delete'])
      writes += await controller.readMetric('airlift_api_requests_total', {
        verb,
        ...(resource === undefined ? {} : { resource }),
      });
    return writes;
  }

  /** The upper end of the histogram's bucket in which it lies. */
  async function quantileOf(name: string, quantile: number): Promise<string> {
    const { text } = await controller.askHealth('/metrics');
    const buckets = [
      ...text.matchAll(new RegExp(`^${name}_bucket\\{le="([^"]+)",controller="imports"\\} (\\d+)`, 'gm')),
    ];
    const all = Number(buckets.at(-1)?.[2] ?? 0);
    return buckets.find(([, , count]) => Number(count) >= quantile * all)?.[1] ?? 'unknown';
  }

  async function allFinished(count: number, mostMs: number): Promise<void> {
    const ends = performance.now() + mostMs;
    for (;;) {
      const phases = new Map<string, number>();
      for await (const each of site.api.list(virtualMachineImportKind)) {
        const { phase = 'none', reason = '' } = each.status?.progress ?? {};
        const key = phase === 'Finished' ? phase : `${phase} ${reason}`;
        phases.set(key, (phases.get(key) ?? 0) + 1);
      }
      if ((phases.get('Finished') ?? 0) === count && phases.size <= 1) return;
      if (performance.now() > ends)
        throw new Error(`not all finished: ${JSON.stringify([...phases])}\n${controller.output.slice(-4000)}`);
      await delay(1000);
    }
  }
});

async function eachOf<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const lane = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await act(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

function memoryOf(pid: number): { readonly nowMib: number; readonly peakMib: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const read = (key: string) => Math.round(Number(new RegExp(`${key}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024);
  return { nowMib: read('VmRSS'), peakMib: read('VmHWM') };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
