import { changed, dropped, type FidelityRow, kept } from '../fidelity.ts';
import type { Finding } from '../finding.ts';
import type { Machine } from '../machine.ts';
import type { MappedPlatform } from './mapped-machine.ts';

const MIB = 1024 * 1024;

/** Processor, memory, firmware, TPM and identity. */
export function mapPlatform(machine: Machine): { platform: MappedPlatform; rows: FidelityRow[]; findings: Finding[] } {
  const { cpu, firmware, hasTpm } = machine;
  const isSecureBoot = machine.isSecureBoot && firmware === 'efi';
  const memoryMebibytes = Math.ceil(machine.memoryBytes / MIB);
  const uuid = machine.biosUuid === undefined ? undefined : parseUuid(machine.biosUuid);

  const rows = [
    kept('cpu.sockets', cpu.sockets),
    kept('cpu.coresPerSocket', cpu.coresPerSocket),
    kept('cpu.threadsPerCore', cpu.threadsPerCore),
    machine.memoryBytes % MIB === 0
      ? kept('memory', `${memoryMebibytes} MiB`)
      : changed('memory', `${machine.memoryBytes} bytes`, `${memoryMebibytes} MiB`, 'rounded up to a whole MiB'),
    kept('firmware', firmware),
    ...secureBootRows(machine),
    ...stateRows(machine),
  ];
  if (machine.biosUuid !== undefined) {
    rows.push(
      uuid === undefined
        ? dropped('firmware.uuid', machine.biosUuid, 'not a usable UUID; the cluster makes a new one')
        : kept('firmware.uuid', machine.biosUuid, uuid),
    );
  }

  return {
    platform: {
      cpu: { sockets: cpu.sockets, cores: cpu.coresPerSocket, threads: cpu.threadsPerCore },
      memoryMebibytes,
      firmware,
      isSecureBoot,
      hasTpm,
      hasPersistentState: hasTpm,
      ...(uuid === undefined ? {} : { uuid }),
    },
    rows,
    findings: hasTpm ? [tpmFinding(machine)] : [],
  };
}

function secureBootRows(machine: Machine): FidelityRow[] {
  if (!machine.isSecureBoot) return machine.firmware === 'efi' ? [kept('firmware.secureBoot', 'off')] : [];
  if (machine.firmware === 'bios') return [dropped('firmware.secureBoot', 'on', 'Secure Boot needs EFI firmware')];
  return [kept('firmware.secureBoot', 'on', 'on, with System Management Mode')];
}

/**
 * The TPM is made persistent: one that forgets at each power-off would make BitLocker ask for its recovery key at every start. Its state needs a
 * volume of KubeVirt's own and so a default storage class; once that is there, the EFI variables are kept in it too. Without a TPM the EFI variables
 * are not, so that a machine needs no volume besides its disks.
 */
function stateRows(machine: Machine): FidelityRow[] {
  const rows: FidelityRow[] = [];
  if (machine.hasTpm) {
    rows.push(
      changed(
        'tpm',
        'present',
        'present, persistent, empty',
        'the secrets in a TPM cannot be taken out of its machine',
      ),
    );
  }
  if (machine.firmware === 'efi') {
    const isPersistent = machine.hasTpm;
    rows.push(
      dropped(
        'firmware.variables',
        'EFI variables (NVRAM)',
        isPersistent
          ? 'not part of the disks; the firmware starts with fresh ones, finds \\EFI\\BOOT by itself, and keeps what the guest writes'
          : 'not part of the disks; the firmware starts with fresh ones at each power-on and finds \\EFI\\BOOT by itself',
      ),
    );
  }
  return rows;
}

function tpmFinding(machine: Machine): Finding {
  return {
    severity: 'warning',
    code: 'HardwareChanged',
    message: `The TPM of ${machine.name} will be new and empty: have the recovery keys of encrypted disks (BitLocker) ready. It needs a default storage class in the cluster.`,
    subject: 'tpm',
  };
}

/** The usual form in lower case; VMware also writes sixteen pairs with blanks (`56 4d ... - ...`). Undefined for anything else and for all zeroes or ones. */
function parseUuid(text: string): string | undefined {
  const digits = text
    .trim()
    .replace(/^(?:urn:uuid:|uuid:)/i, '')
    .replace(/[{}\s-]/g, '')
    .toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(digits) || /^(?:0+|f+)$/.test(digits)) return undefined;
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
