// Weaknesses of the importer we replace that no other test is about (docs/decisions/0018-weaknesses.md).
import { describe, expect, test } from 'vitest';
import { jobKind, persistentVolumeClaimKind } from '../../api/core-kinds.ts';
import { ovaSourceKind } from '../../api/ova-source.ts';
import { networkAttachmentDefinitionKind, type VirtualMachine, virtualMachineKind } from '../../api/platform-kinds.ts';
import type { StoredVirtualMachineImport } from '../../api/virtual-machine-import.ts';
import type { Nic } from '../../domain/machine.ts';
import type { WorkerEnd } from '../../testing/import-journey/cluster-machinery.ts';
import { finishAtOnce, ImportJourney, placeOf } from '../../testing/import-journey/import-journey.ts';
import { aMachine } from '../../testing/kubevirt/sample-machines.ts';

const isFinished = ({ status }: StoredVirtualMachineImport) => status?.progress?.phase === 'Finished';
const isStalledBy = (code: string) => (each: StoredVirtualMachineImport) => each.status?.progress?.reason === code;
const twoDisks = {
  disks: [
    ...aMachine().disks,
    { id: 'disk2', name: 'Hard disk 2', virtualSizeBytes: 3_000_000, controllerId: 'sata0', unit: 1, fileName: 'd2' },
  ],
};

async function machineOf(journey: ImportJourney, name: string): Promise<VirtualMachine['spec']> {
  return (await journey.cluster.get(virtualMachineKind, { namespace: 'vms', name }))?.spec;
}

describe('the machine that is made', () => {
  test('W3, W4: has the processors and the memory of the source, neither more nor less', async () => {
    const cpu = { sockets: 1, coresPerSocket: 8, threadsPerCore: 1 };
    const journey = await ImportJourney.begin({ machine: { cpu, memoryBytes: 4096 * 1024 * 1024 } });
    await journey.create('web');
    await journey.run('web', isFinished);
    const domain = (await machineOf(journey, 'web'))?.template?.spec?.domain;
    expect(domain).toMatchObject({
      cpu: { cores: 8, sockets: 1, threads: 1 },
      memory: { guest: '4096Mi' },
    });
  });

  test('W17: has a card for each of the source, matched by the whole name or its last part, in their order', async () => {
    const nic = (id: string, network: string): Nic => ({ id, network, model: 'VmxNet3', isConnected: true });
    const nics = [nic('one', 'lan'), nic('two', 'dmz'), nic('three', 'lan')];
    const journey = await ImportJourney.begin({ machine: { nics } });
    for (const name of ['vlan1', 'vlan2'])
      await journey.cluster.create(networkAttachmentDefinitionKind, {
        apiVersion: 'k8s.cni.cncf.io/v1',
        kind: 'NetworkAttachmentDefinition',
        metadata: { name, namespace: 'vms' },
      });
    await journey.create('web', {
      networkMapping: [
        { sourceNetwork: 'folder/lan', destinationNetwork: 'vms/vlan1' },
        { sourceNetwork: 'dmz', destinationNetwork: 'vms/vlan2' },
      ],
    });
    await journey.run('web', isFinished);
    const networks = (await machineOf(journey, 'web'))?.template?.spec?.networks ?? [];
    expect(networks.map(({ multus }: { multus?: { networkName: string } }) => multus?.networkName)).toEqual([
      'vms/vlan1',
      'vms/vlan2',
      'vms/vlan1',
    ]);
  });

  test('W17: a card for which nothing was said is told before anything is copied', async () => {
    const nics: Nic[] = [
      { id: 'one', network: 'lan', model: 'VmxNet3', isConnected: true },
      { id: 'two', network: 'storage', model: 'VmxNet3', isConnected: true },
    ];
    const journey = await ImportJourney.begin({ machine: { nics } });
    await journey.create('web');
    await journey.run('web', ({ status }) => status?.importStatus === 'virtualMachineImportValid');
    const { status } = await journey.get('web');
    expect(JSON.stringify(status?.progress?.findings)).toContain('storage');
  });
});

describe('disks', () => {
  test('W2: an import that is retried after one disk failed copies every disk anew and makes the machine', async () => {
    let isDamaged = true;
    const copied: string[] = [];
    const journey = await ImportJourney.begin({
      machine: twoDisks,
      work: async (run, own): Promise<WorkerEnd> => {
        copied.push(`${run.disk}.${run.epoch}`);
        if (run.disk === 0 || !isDamaged) return await finishAtOnce(run, own);
        const problem = { epoch: run.epoch, code: 'DiskImageCorrupt', message: 'damaged' } as const;
        await own.parts.transfers.saveProblem(await placeOf(run, own), problem);
        return { exitCode: 40 };
      },
    });
    await journey.create('web');
    await journey.run('web', isStalledBy('DiskImageCorrupt'));
    isDamaged = false;
    await journey.edit('web', { retry: '1' });
    await journey.run('web', isFinished);
    expect(copied.toSorted()).toEqual(['0.1', '0.2', '1.1', '1.2']);
  });

  test('W33: while one of them is pending nothing is decided by the others', async () => {
    let isHeld = true;
    const journey = await ImportJourney.begin({
      machine: twoDisks,
      work: async (run, own) => (run.disk === 1 && isHeld ? 'goesOn' : finishAtOnce(run, own)),
    });
    await journey.create('web');
    await expect(journey.run('web', isFinished, 40)).rejects.toThrow('not there after');
    const { status } = await journey.get('web');
    expect(status?.progress?.disks?.map(({ phase }) => phase)).toEqual(['Done', 'Transferring']);
    expect(status?.importStatus).toBe('sourceReady');
    expect(await machineOf(journey, 'web')).toBeUndefined();
    isHeld = false;
    await journey.run('web', isFinished);
  });

  test('W16: their size in the status is in bytes, as the volume has it', async () => {
    const journey = await ImportJourney.begin({ machine: twoDisks });
    await journey.create('web');
    await journey.run('web', isFinished);
    const { status } = await journey.get('web');
    expect(status?.diskImportStatus?.map(({ diskSize }) => diskSize)).toEqual([1024 ** 3, 3_000_000]);
  });

  test('W9: are copied without a scratch volume: the Pod has its disk and its token, and nothing to write to', async () => {
    const journey = await ImportJourney.begin({ work: async () => 'goesOn' });
    await journey.create('web');
    await journey.run('web', ({ status }) => status?.progress?.disks?.[0]?.phase === 'Transferring');
    for await (const { spec } of journey.cluster.list(jobKind)) {
      const pod = spec?.template?.spec;
      expect(pod?.volumes?.flatMap((each) => Object.keys(each).filter((key) => key !== 'name'))).toEqual([
        'persistentVolumeClaim',
        'projected',
      ]);
      expect(pod?.containers?.[0]?.securityContext?.readOnlyRootFilesystem).toBe(true);
    }
    expect(await journey.inventory()).toContain('PersistentVolumeClaim web-disk-0');
  });

  test('W20: of machines with one name in two namespaces never share a name of anything', async () => {
    const { namesOf } = await import('./names.ts');
    const [one, other] = ['uid-1', 'uid-2'].map((uid) => namesOf(uid));
    const all = (names: typeof one) => [
      names?.plan,
      names?.checkpoint(0),
      names?.job(0, 1),
      names?.transfer(0),
      names?.transfer(1),
    ];
    expect(new Set([...all(one), ...all(other)]).size).toBe(10);
  });

  test('W31: are in the annotation by which Harvester offers to keep or remove them', async () => {
    const journey = await ImportJourney.begin({ machine: twoDisks });
    await journey.create('web');
    await journey.run('web', isFinished);
    const machine = await journey.cluster.get(virtualMachineKind, { namespace: 'vms', name: 'web' });
    const templates = JSON.parse(machine?.metadata.annotations?.['harvesterhci.io/volumeClaimTemplates'] ?? '');
    const claims: string[] = [];
    for await (const { metadata } of journey.cluster.list(persistentVolumeClaimKind)) claims.push(metadata.name);
    expect(templates.map((each: { metadata: { name: string } }) => each.metadata.name)).toEqual(claims.toSorted());
  });
});

describe('what was there before', () => {
  test('W19: a machine that an earlier import of the same name made is not taken for this one', async () => {
    const journey = await ImportJourney.begin();
    await journey.create('web');
    await journey.run('web', isFinished);
    const before = (await journey.cluster.get(virtualMachineKind, { namespace: 'vms', name: 'web' }))?.metadata.uid;
    await journey.delete('web');
    for (let turns = 0; turns < 6; turns += 1) {
      await journey.step('web');
      await journey.turn();
    }
    await journey.create('web');
    await journey.run('web', isStalledBy('MachineExists'));
    const after = await journey.cluster.get(virtualMachineKind, { namespace: 'vms', name: 'web' });
    expect(after?.metadata.uid).toBe(before);
  });

  test('W24: a source that is gone keeps nothing from being removed', async () => {
    const journey = await ImportJourney.begin({ work: async () => 'goesOn' });
    await journey.create('web');
    await journey.run('web', ({ status }) => status?.progress?.disks?.[0]?.phase === 'Transferring');
    await journey.cluster.delete(ovaSourceKind, { namespace: 'vms', name: 'files' });
    journey.restartController();
    await journey.delete('web');
    for (let turns = 0; turns < 12; turns += 1) {
      await journey.step('web');
      await journey.turn();
      journey.cluster.collectGarbage();
    }
    expect(await journey.inventory()).toEqual([]);
  });

  test('W34: a machine that its user deletes after the end is not made again, and is no error', async () => {
    const journey = await ImportJourney.begin();
    await journey.create('web');
    await journey.run('web', isFinished);
    await journey.cluster.delete(virtualMachineKind, { namespace: 'vms', name: 'web' });
    journey.restartController();
    expect(await journey.step('web')).toBeUndefined();
    expect(await machineOf(journey, 'web')).toBeUndefined();
  });
});
