/** Where a fault begins: at a byte, or at an operation (counted from 1). What is counted, and by whom, each wrapper says. */
export type FaultPlace = { readonly byte: number } | { readonly operation: number };

export interface PlannedFault<Fault> {
  readonly at: FaultPlace;
  readonly fault: Fault;
  /** How many operations it spoils from its place on; 1 unless told, Infinity for good. */
  readonly times?: number;
}

/** What goes wrong, and where. Plain data: the same plan spoils the same things each time. */
export type FaultPlan<Fault> = readonly PlannedFault<Fault>[];

/** An operation as a plan sees it: its number, and the bytes from `from` up to `to` that it is about. */
export interface CountedOperation {
  readonly number: number;
  readonly from: number;
  readonly to: number;
}

/** A plan at work. One of these serves everything that is opened during an import, so that a fault that is over stays over when a file is opened again. */
export class ActiveFaults<Fault> {
  /** Nothing is spoilt, and nothing used up, while this is false. */
  isArmed = true;
  /** Faults in the order in which they struck. */
  readonly struck: Fault[] = [];
  /** Called when one strikes, before it does. */
  onStrike: (fault: Fault) => void = () => {};
  readonly #left: { readonly planned: PlannedFault<Fault>; times: number; hasBegun: boolean }[];

  /** False for an empty plan. */
  readonly isPlanned: boolean;

  constructor(plan: FaultPlan<Fault>) {
    this.isPlanned = plan.length > 0;
    this.#left = plan.map((planned) => ({ planned, times: planned.times ?? 1, hasBegun: false }));
  }

  /**
   * The fault that spoils this operation, used up by one; undefined for an operation that goes well. A byte that lies in none of the operations begins nothing.
   * @param asSeenBy the operation as this fault counts; undefined when the fault is not about such operations
   */
  take(asSeenBy: (fault: Fault) => CountedOperation | undefined): PlannedFault<Fault> | undefined {
    if (!this.isArmed) return undefined;
    for (const each of this.#left) {
      const operation = each.times > 0 ? asSeenBy(each.planned.fault) : undefined;
      if (operation === undefined) continue;
      each.hasBegun ||= isReached(each.planned.at, operation);
      if (!each.hasBegun) continue;
      each.times -= 1;
      this.struck.push(each.planned.fault);
      this.onStrike(each.planned.fault);
      return each.planned;
    }
    return undefined;
  }
}

function isReached(at: FaultPlace, { number, from, to }: CountedOperation): boolean {
  return 'byte' in at ? from <= at.byte && at.byte < to : at.operation <= number;
}

/** A copy with one bit turned. */
export function withFlippedBit(bytes: Uint8Array, at: number): Uint8Array<ArrayBuffer> {
  const copy = Uint8Array.from(bytes);
  const index = Math.max(0, Math.min(copy.length - 1, at));
  copy[index] = (copy[index] ?? 0) ^ (1 << (at & 7));
  return copy;
}
