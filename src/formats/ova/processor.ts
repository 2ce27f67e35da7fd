import type { CpuTopology, Setting } from '../../domain/machine.ts';
import { field, type Item, vmwField } from './items.ts';
import { malformed, parseCount, parseSmallCount, quote } from './ovf-elements.ts';
import { findSetting } from './settings.ts';
import { parseByteUnit } from './units.ts';

const PROCESSOR = 3;
const MEMORY = 4;
const MAX_PROCESSORS = 4096;
/** 64 TiB; vSphere 8 and KubeVirt stay below. */
const MAX_MEMORY_BYTES = 1n << 46n;

/**
 * Processors with the topology that VMware's CoresPerSocket or oVirt's three numbers give; else each is a socket of its own, which is what OVF's bare count means.
 * @throws ProblemError `OvfMalformed`
 */
export function parseProcessors(items: readonly Item[], settings: readonly Setting[]): CpuTopology {
  const processors = items.filter((item) => item.resourceType === PROCESSOR);
  const [first] = processors;
  if (!first) return { sockets: 1, coresPerSocket: 1, threadsPerCore: 1 };

  const ovirtSockets = smallField(first, 'num_of_sockets');
  const ovirtCores = smallField(first, 'cpu_per_socket');
  if (ovirtSockets !== undefined && ovirtCores !== undefined) {
    const threadsPerCore = smallField(first, 'threads_per_cpu') ?? 1;
    return { sockets: ovirtSockets, coresPerSocket: ovirtCores, threadsPerCore };
  }

  const count = processors.reduce((sum, item) => sum + (smallField(item, 'VirtualQuantity') ?? 1), 0);
  if (count > MAX_PROCESSORS) throw malformed(first.element, `${count} processors are more than ${MAX_PROCESSORS}`);
  const cores = vmwField(first, 'CoresPerSocket') ?? findSetting(settings, 'cpuid.coresPerSocket');
  const coresPerSocket =
    cores === undefined ? 1 : parseSmallCount(cores, first.element, 'CoresPerSocket', MAX_PROCESSORS);
  // 0 leaves it to the host; a number that does not divide the count is one that no host honours.
  const isUsable = coresPerSocket > 0 && count % coresPerSocket === 0;
  return isUsable
    ? { sockets: count / coresPerSocket, coresPerSocket, threadsPerCore: 1 }
    : { sockets: count, coresPerSocket: 1, threadsPerCore: 1 };
}

/** @throws ProblemError `OvfMalformed` for an unknown unit, or when there is no memory */
export function parseMemory(items: readonly Item[], machine: string): number | undefined {
  const memories = items.filter((item) => item.resourceType === MEMORY);
  let bytes = 0n;
  for (const item of memories) {
    const quantity = field(item, 'VirtualQuantity') ?? '0';
    // Old writers leave the unit out and mean megabytes.
    const unitText = field(item, 'AllocationUnits') ?? 'MegaBytes';
    const unit = parseByteUnit(unitText);
    if (unit === undefined)
      throw malformed(
        item.element,
        `the memory of machine ${quote(machine)} is in the unknown unit ${quote(unitText)}`,
      );
    bytes += parseCount(quantity, item.element, 'the memory size') * unit;
    if (bytes > MAX_MEMORY_BYTES)
      throw malformed(item.element, `the machine ${quote(machine)} claims ${bytes} bytes of memory`);
  }
  return bytes === 0n ? undefined : Number(bytes);
}

function smallField(item: Item, name: string): number | undefined {
  const text = field(item, name);
  if (text === undefined) return undefined;
  const count = parseSmallCount(text, item.element, name, MAX_PROCESSORS);
  if (count === 0) throw malformed(item.element, `${name} is 0`);
  return count;
}
