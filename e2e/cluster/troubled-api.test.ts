// Whole imports while the API server is overloaded, fails, and breaks off, and while somebody else changes the same objects. Workers move no bytes.
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { configMapKind, jobKind, persistentVolumeClaimKind } from '../../src/api/core-kinds.ts';
import { IMPORT_UID_LABEL, MANAGED_BY, MANAGED_BY_LABEL } from '../../src/api/literals.ts';
import { virtualMachineImportKind } from '../../src/api/virtual-machine-import.ts';
import { type ResourceKind, refOf } from '../../src/domain/kubernetes-object.ts';
import { isProblem } from '../../src/domain/problems.ts';
import { canStartCluster } from '../../src/testing/cluster/can-start-cluster.ts';
import { randomBelow, seededRandom } from '../../src/testing/random.ts';
import { type ApiFault, ApiGateway } from './api-gateway.ts';
import { ControllerProcess } from './controller-process.ts';
import { eventually } from './eventually.ts';
import { SimulatedSite } from './simulated-site.ts';
import { SimulatedWorkers } from './simulated-workers.ts';

const IMPORTS = 12;
const SEED = Number(process.env.AIRLIFT_SEED ?? Date.now() % 1_000_000);
/** Of all requests; a watch is one. */
const SHARE = 0.15;
const FAULTS: readonly ApiFault[] = [
  { status: 429, headers: { 'retry-after': '1' }, reason: 'TooManyRequests' },
  { status: 500, reason: 'InternalError' },
  { status: 503, reason: 'ServiceUnavailable' },
];
/** A conflict that is none, and a write of which nobody learns that it was done. */
const FAULTS_OF_WRITES: readonly ApiFault[] = [...FAULTS, { status: 409, reason: 'Conflict' }, 'lost'];
const MEDDLED_KINDS: readonly ResourceKind[] = [
  virtualMachineImportKind,
  jobKind,
  configMapKind,
  persistentVolumeClaimKind,
];

describe.skipIf(!canStartCluster())(`an API server in trouble, seed ${SEED}`, () => {
  let site: SimulatedSite;
  let gateway: ApiGateway;
  let controller: ControllerProcess;
  let workers: SimulatedWorkers;
  const struck = new Map<string, number>();
  /** Of writes to the status of one import, of which there is one at a time: when it was refused with 429, and how long it was left alone then. */
  const refused = new Map<string, number>();
  const pauses: number[] = [];
  let isTroubled = false;

  beforeAll(async () => {
    site = await SimulatedSite.start();
    const random = seededRandom(SEED);
    gateway = await ApiGateway.start({
      kubeconfigPath: site.user.kubeconfigPath,
      disturb: ({ method, path }) => {
        const at = refused.get(path);
        if (at !== undefined && method === 'PATCH') {
          pauses.push(performance.now() - at);
          refused.delete(path);
        }
        if (!isTroubled || random() > SHARE) return undefined;
        const faults = method === 'GET' ? FAULTS : FAULTS_OF_WRITES;
        const fault = faults[randomBelow(random, faults.length)];
        const name = fault === 'lost' ? fault : String(fault?.status);
        struck.set(name, (struck.get(name) ?? 0) + 1);
        if (name === '429' && method === 'PATCH' && path.endsWith('/status')) refused.set(path, performance.now());
        return fault;
      },
    });
    controller = await ControllerProcess.start({
      cluster: site.cluster,
      user: { ...site.user, kubeconfigPath: gateway.kubeconfigPath },
      image: 'simulated',
      env: { AIRLIFT_TRANSFERS: '1000', AIRLIFT_TRANSFERS_PER_HOST: '1000', AIRLIFT_TRANSFERS_PER_NODE: '1000' },
    });
    await controller.untilReady();
    workers = new SimulatedWorkers({
      cluster: site.api,
      endpointUrl: controller.url,
      readCa: () => site.readEndpointCa(),
      // What the controller could not store, the worker says again.
      onError: () => {},
    });
  });
  afterAll(async () => {
    await workers?.[Symbol.asyncDispose]();
    await controller?.stop();
    await gateway?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
  });

  test('hinders imports, ends none, doubles nothing, and is not asked more than it can bear', async () => {
    const uid = await site.createImport('undisturbed');
    await untilFinished('undisturbed');
    const wanted = await site.stateOf('undisturbed', uid);
    const before = gateway.requests;

    isTroubled = true;
    const meddling = new AbortController();
    const meddled = meddle(meddling.signal);
    const names = Array.from({ length: IMPORTS }, (_, index) => `troubled-${index}`);
    const uids = await Promise.all(names.map((name) => site.createImport(name)));
    for (const name of names) await untilFinished(name);
    const requests = gateway.requests - before;
    isTroubled = false;
    meddling.abort();
    const changes = await meddled;

    console.info(
      `${requests} requests for ${IMPORTS} imports; ${[...struck].map(([name, count]) => `${name}: ${count}`).join(', ')}; ${changes} changes by somebody else`,
    );
    for (const [index, name] of names.entries())
      expect(withoutMarks(await site.stateOf(name, uids[index] ?? ''))).toEqual(wanted);
    expect([...struck.keys()].toSorted()).toEqual(['409', '429', '500', '503', 'lost']);
    expect(changes).toBeGreaterThan(5 * IMPORTS);
    // As the server asked for by Retry-After.
    expect(pauses.length).toBeGreaterThan(0);
    expect(Math.min(...pauses)).toBeGreaterThan(990);
    // What others change is looked at, too.
    expect(requests).toBeLessThan(100 * IMPORTS + changes);
    expect(controller.hasEnded).toBe(false);
  }, 200_000);

  /** Writes to whatever the imports are made of, until it is told to stop; returns how often. */
  async function meddle(signal: AbortSignal): Promise<number> {
    let changes = 0;
    while (!signal.aborted) {
      for (const kind of MEDDLED_KINDS) {
        const labels = kind === virtualMachineImportKind ? {} : { [MANAGED_BY_LABEL]: MANAGED_BY };
        for await (const each of site.api.list(kind, { namespace: 'default', labels })) {
          if (each.metadata.labels?.[IMPORT_UID_LABEL] === undefined && kind !== virtualMachineImportKind) continue;
          try {
            await site.api.patch(kind, refOf(each), { metadata: { annotations: { mark: String(changes) } } });
            changes += 1;
          } catch (error) {
            // It is gone meanwhile.
            if (!isProblem(error, 'ClusterObjectMissing')) throw error;
          }
        }
      }
      await delay(100);
    }
    return changes;
  }

  async function untilFinished(name: string): Promise<void> {
    await eventually(
      async () => (await site.phaseOf(name)) === 'Finished',
      async () => `${JSON.stringify(await site.readImport(name))}\n${controller.output.slice(-4000)}`,
      { mostMs: 120_000 },
    );
  }
});

function withoutMarks(state: unknown): unknown {
  return JSON.parse(
    JSON.stringify(state)
      .replace(/"annotations":\{"mark":"\d+"\},?/g, '')
      .replace(/,?"mark":"\d+"/g, ''),
  );
}
