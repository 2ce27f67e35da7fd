import { changed, dropped, type FidelityRow, kept } from '../fidelity.ts';
import type { Finding } from '../finding.ts';
import type { Machine, Nic } from '../machine.ts';
import { parseMacAddress } from './mac-address.ts';
import type { MappedNic, MappingOptions } from './mapped-machine.ts';
import { chooseNicModel } from './nic-model.ts';

const POD = 'pod';
const NOT_MAPPED = 'no network is named for it';

/**
 * Network cards. KubeVirt allows one card on the pod network: the first that the user maps there gets it, else the first without a mapping (with `unmappedNics: 'leftOut'` only
 * where no card has one); further ones are dropped, since they would have no network to be on.
 */
export function mapNics(
  machine: Machine,
  options: MappingOptions,
): { nics: MappedNic[]; rows: FidelityRow[]; findings: Finding[] } {
  const mapped = (nic: Nic) => (nic.network === undefined ? undefined : options.networks.get(nic.network));
  const leavesOut = options.unmappedNics === 'leftOut' && machine.nics.some((nic) => mapped(nic) !== undefined);
  const onPod =
    machine.nics.find((nic) => mapped(nic) === POD) ??
    (leavesOut ? undefined : machine.nics.find((nic) => mapped(nic) === undefined));
  const nics: MappedNic[] = [];
  const rows: FidelityRow[] = [];
  const findings: Finding[] = [];
  const macs = new Set<string>();

  for (const nic of machine.nics) {
    const network = nic === onPod ? POD : mapped(nic);
    if (mapped(nic) === undefined) findings.push(notMapped(nic, network === undefined));
    if (network === undefined || (network === POD && nic !== onPod)) {
      if (network === POD) findings.push(secondOnPod(nic));
      rows.push(
        dropped(
          `nic[${nic.id}]`,
          describe(nic),
          leavesOut ? NOT_MAPPED : 'only one card can be on the pod network, and no other network is named for it',
        ),
      );
      continue;
    }
    const { model, reason } = chooseNicModel(nic.model, machine.guestOs, {
      chosen: options.nicModels?.get(nic.network ?? ''),
      fallback: options.defaultNicModel,
    });
    const name = `nic-${nics.length}`;
    const macAddress = claimMac(nic, macs, rows);
    rows.push(
      kept(`nic[${nic.id}]`, describe(nic), name),
      reason === undefined
        ? kept(`nic[${nic.id}].model`, nic.model, model)
        : changed(`nic[${nic.id}].model`, nic.model || 'not named', model, reason),
      networkRow(nic, network),
      kept(`nic[${nic.id}].connected`, yesNo(nic.isConnected)),
    );
    nics.push({
      id: nic.id,
      name,
      model,
      network,
      isConnected: nic.isConnected,
      ...(macAddress === undefined ? {} : { macAddress }),
    });
  }
  if (nics.length > 0 && machine.guestOs?.family === 'linux') findings.push(namesMayChange(machine));
  return { nics, rows, findings };
}

function claimMac(nic: Nic, taken: Set<string>, rows: FidelityRow[]): string | undefined {
  if (nic.macAddress === undefined) return undefined;
  const property = `nic[${nic.id}].mac`;
  const result = parseMacAddress(nic.macAddress);
  if ('reason' in result) {
    rows.push(dropped(property, nic.macAddress, `${result.reason}; the cluster makes a new one`));
    return undefined;
  }
  if (taken.has(result.mac)) {
    rows.push(dropped(property, nic.macAddress, 'another card of this machine has it; the cluster makes a new one'));
    return undefined;
  }
  taken.add(result.mac);
  rows.push(kept(property, nic.macAddress, result.mac));
  return result.mac;
}

function networkRow(nic: Nic, network: string): FidelityRow {
  const property = `nic[${nic.id}].network`;
  if (network === POD) {
    return changed(
      property,
      nic.network ?? 'none',
      'pod network (masquerade)',
      'the cluster gives the address; the guest is reached through Services',
    );
  }
  return kept(property, nic.network ?? 'none', network);
}

function notMapped(nic: Nic, isDropped: boolean): Finding {
  const network = nic.network === undefined ? 'no network' : `network "${nic.network}"`;
  return {
    severity: 'warning',
    code: 'NetworkNotMapped',
    message: `Card ${nic.id} is on ${network}, which has no counterpart; it will be ${isDropped ? 'left out' : 'on the pod network'}.`,
    subject: nic.id,
  };
}

function secondOnPod(nic: Nic): Finding {
  return {
    severity: 'warning',
    code: 'NetworkNotMapped',
    message: `Card ${nic.id} cannot be on the pod network besides another card; it will be left out.`,
    subject: nic.id,
  };
}

/** Predictable names come from the card's place on the PCI bus, which is another one here. */
function namesMayChange(machine: Machine): Finding {
  return {
    severity: 'note',
    code: 'HardwareChanged',
    message: `Network interfaces of ${machine.name} may be called differently in the guest (such as enp1s0 for ens192): a network configuration by name then does not apply.`,
    subject: 'nics',
  };
}

function describe(nic: Nic): string {
  return [nic.model, nic.network].filter(Boolean).join(' on ') || nic.id;
}

function yesNo(value: boolean): string {
  return value ? 'yes' : 'no';
}
