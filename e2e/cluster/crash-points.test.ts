// The controller is killed after each single write to a real API server, before it learns that the write was done; the next one ends the import as if nothing had been. Workers move no bytes.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { namesOf } from '../../src/controller/machine-import/names.ts';
import { canStartCluster } from '../../src/testing/cluster/can-start-cluster.ts';
import { ApiGateway, type ApiWrite } from './api-gateway.ts';
import { ControllerProcess } from './controller-process.ts';
import { eventually } from './eventually.ts';
import { SimulatedSite } from './simulated-site.ts';
import { SimulatedWorkers } from './simulated-workers.ts';

describe.skipIf(!canStartCluster())('a controller that is killed after a write', () => {
  let site: SimulatedSite;
  let gateway: ApiGateway;
  let controller: ControllerProcess;
  let workers: SimulatedWorkers;
  /** Of imports whose workers are not to end. */
  const endless = new Set<string>();

  beforeAll(async () => {
    site = await SimulatedSite.start();
    gateway = await ApiGateway.start({ kubeconfigPath: site.user.kubeconfigPath });
    await startController();
    workers = new SimulatedWorkers({
      cluster: site.api,
      endpointUrl: controller.url,
      readCa: () => site.readEndpointCa(),
      // While nobody is there to talk to; what counts is how it ends.
      onError: () => {},
      isEndless: (uid) => endless.has(uid),
    });
  });
  afterAll(async () => {
    await workers?.[Symbol.asyncDispose]();
    await controller?.stop();
    await gateway?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
  });

  test('ends every import in the same state', async () => {
    const seen = record();
    const uid = await site.createImport('reference');
    await untilPhase('reference', 'Finished');
    const wanted = await site.stateOf('reference', uid);
    expect(seen.length).toBeGreaterThan(15);

    const struck: string[] = [];
    for (let point = 1; point <= seen.length; point += 1) {
      const name = `killed-${point}`;
      const killed = cutAfter(point);
      const ownUid = await site.createImport(name);
      await eventually(async () => killed.write !== undefined || (await site.phaseOf(name)) === 'Finished', explain);
      if (killed.write !== undefined) {
        struck.push(describeWrite(killed.write));
        await replaceController();
      }
      await untilPhase(name, 'Finished');
      // The one that was announced when its controller died, and the one that copied.
      for (const { epoch } of (await site.readImport(name))?.status?.progress?.disks ?? [])
        expect(epoch).toBeLessThan(3);
      expect(await site.stateOf(name, ownUid), `killed after write ${point}: ${struck.at(-1)}`).toEqual(wanted);
    }
    console.info(`killed after ${struck.length} writes of ${seen.length}:\n${struck.join('\n')}`);
    // How often progress is written is a matter of time.
    expect(struck.length).toBeGreaterThan(seen.length - 4);
  }, 400_000);

  test('leaves nothing of an import that is deleted', async () => {
    const isGone = async (name: string) => (await site.readImport(name)) === undefined;
    const remove = (name: string) => site.cluster.kubectl(['delete', 'vmimport', name, '--wait=false']);
    const known = await beginCopy('deleted');
    const seen = record();
    await remove('deleted');
    await eventually(() => isGone('deleted'), explain);
    // Which Pods are left for it to delete, and whether the status is told in between, is a matter of time.
    const points = seen
      .map((write) => signatureOf(write, 'deleted', known))
      .filter((each) => !/\/status |\/pods\//.test(each));
    expect(points.toSorted()).toEqual([
      'DELETE batch/v1/namespaces/default/jobs/airlift-ID-0-1',
      'DELETE batch/v1/namespaces/default/jobs/airlift-ID-1-1',
      'DELETE v1/namespaces/default/configmaps/airlift-ID-0',
      'DELETE v1/namespaces/default/configmaps/airlift-ID-1',
      'DELETE v1/namespaces/default/configmaps/airlift-ID-plan',
      'DELETE v1/namespaces/default/persistentvolumeclaims/NAME-disk-0',
      'DELETE v1/namespaces/default/persistentvolumeclaims/NAME-disk-1',
      'PATCH migration.harvesterhci.io/v1beta1/namespaces/default/virtualmachineimports/NAME finalizers',
    ]);

    for (const [index, point] of points.entries()) {
      const name = `deleted-${index}`;
      const uid = await beginCopy(name);
      const killed = cutWhen((write) => signatureOf(write, name, uid) === point);
      await remove(name);
      await eventually(async () => killed.write !== undefined, explain);
      await replaceController();
      await eventually(() => isGone(name), explain);
      expect(await site.stateOf(name, uid), `killed after ${point}`).toEqual({ objects: [] });
    }
  }, 200_000);

  /** An import of which both disks are being copied, and will be for ever. Returns its uid. */
  async function beginCopy(name: string): Promise<string> {
    const uid = await site.createImport(name);
    endless.add(uid);
    await untilPhase(name, 'Transferring');
    const areBothCopied = async () => {
      const disks = (await site.readImport(name))?.status?.progress?.disks ?? [];
      return disks.length === 2 && disks.every(({ doneBytes = 0 }) => doneBytes > 0);
    };
    await eventually(areBothCopied, explain);
    return uid;
  }

  async function startController(): Promise<void> {
    controller = await ControllerProcess.start({
      cluster: site.cluster,
      user: { ...site.user, kubeconfigPath: gateway.kubeconfigPath },
      image: 'simulated',
      port: controller?.port,
    });
    await controller.untilReady();
  }

  async function replaceController(): Promise<void> {
    await controller.stop('SIGKILL');
    // What it holds is not waited for: that is another test.
    await site.cluster.kubectl(['delete', 'lease', '-n', 'airlift-system', 'airlift-controller', '--ignore-not-found']);
    gateway.reopen();
    await startController();
  }

  function record(): ApiWrite[] {
    const writes: ApiWrite[] = [];
    gateway.isLast = (write) => {
      writes.push(write);
      return false;
    };
    return writes;
  }

  function cutAfter(count: number): { write?: ApiWrite } {
    let done = 0;
    return cutWhen(() => {
      done += 1;
      return done === count;
    });
  }

  function cutWhen(isIt: (write: ApiWrite) => boolean): { write?: ApiWrite } {
    const killed: { write?: ApiWrite } = {};
    gateway.isLast = (write) => {
      if (!isIt(write)) return false;
      killed.write = write;
      return true;
    };
    return killed;
  }

  async function untilPhase(name: string, phase: string): Promise<void> {
    await eventually(async () => (await site.phaseOf(name)) === phase, explain);
  }

  async function explain(): Promise<string> {
    const path = '-o=jsonpath={range .items[*]}{.metadata.name}: {.status.progress}{"\\n"}{end}';
    const progress = await site.cluster.kubectl(['get', 'vmimport', '--all-namespaces', path]);
    return `${progress.split('\n').slice(-3).join('\n')}\n${controller.output.slice(-4000)}`;
  }
});

function describeWrite({ method, path, body }: ApiWrite): string {
  const [, fields = ''] = /^\{"(?:status|metadata)":\{"?(\w*)/.exec(body) ?? [];
  return `${method} ${path.replace(/^\/apis?\//, '')} ${fields}`.trim();
}

/** The same for every import. */
function signatureOf(write: ApiWrite, name: string, uid: string): string {
  return describeWrite(write)
    .replaceAll(namesOf(uid).id, 'ID')
    .replace(new RegExp(`/${name}(?=[-/ ]|$)`), '/NAME');
}
