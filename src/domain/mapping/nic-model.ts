import type { GuestOs } from '../machine.ts';
import type { NicModel } from './mapped-machine.ts';

export interface ModelChoice {
  readonly model: NicModel;
  /** Absent when the guest finds the same card as before. */
  readonly reason?: string;
}

/** Sources spell the same card in many ways: `VirtualVmxnet3`, `VmxNet3`; `VirtualE1000e`, `E1000e`; VirtualBox says `82545EM`. The first match wins. */
const counterparts: readonly (readonly [pattern: RegExp, model: NicModel])[] = [
  [/virtio/, 'virtio'],
  [/e1000e|82574/, 'e1000e'],
  [/e1000|8254[035]/, 'e1000'],
  [/pcnet|vlance|flexible|am79c/, 'pcnet'],
  [/rtl8139/, 'rtl8139'],
  [/ne2k/, 'ne2k_pci'],
];

/** What the user says about models. */
export interface ModelWord {
  /** For this card. */
  readonly chosen?: NicModel | undefined;
  /** For cards that have no counterpart. */
  readonly fallback?: NicModel | undefined;
}

/**
 * The model for a card that the source calls `source`. Windows gets virtio only when it already ran on it, since its installation has no such driver, or when the user says so.
 */
export function chooseNicModel(source: string, guest: GuestOs | undefined, word: ModelWord = {}): ModelChoice {
  const name = source.toLowerCase().replace(/[^a-z0-9]/g, '');
  const counterpart = counterparts.find(([pattern]) => pattern.test(name))?.[1];
  const { chosen, fallback } = word;
  if (chosen !== undefined)
    return chosen === counterpart ? { model: chosen } : { model: chosen, reason: 'chosen by the user' };
  if (counterpart !== undefined) return { model: counterpart };

  const missing = source ? `KubeVirt has no ${source}` : 'the source names no model';
  if (fallback !== undefined) return { model: fallback, reason: `${missing}; chosen by the user for such cards` };
  if (guest?.family === 'linux') return { model: 'virtio', reason: `${missing}; Linux has the virtio driver` };
  if (guest?.family === 'windows') {
    return { model: windowsModel(guest), reason: `${missing}; this Windows brings the driver, unlike that of virtio` };
  }
  return { model: 'e1000', reason: `${missing}; most systems bring a driver for e1000` };
}

/** The newest card that each Windows has a driver for out of the box. Told from VMware's guest ids and from descriptions. */
function windowsModel(guest: GuestOs): NicModel {
  const words = `${guest.id} ${guest.description ?? ''}`;
  if (/win(?:dows)?[ _-]?(?:nt|net|xp|me|95|98|2000)|2003/i.test(words)) return 'rtl8139';
  if (/vista|longhorn|win(?:dows)?[ _-]?7|2008/i.test(words)) return 'e1000';
  return 'e1000e';
}
