/** What becomes of one property of a machine. `changed` and `dropped` always say why. */
export type FidelityRow = {
  /** Which one: `cpu.sockets`, `disk[disk1].bus`, `setting[vmw:ExtraConfig svga.autodetect]`. Unique unless the source repeats itself. */
  readonly property: string;
  /** The value on the source, for people: cut when long, hidden when it looks like a secret. */
  readonly source: string;
  /** The value on the target; empty when dropped. */
  readonly target: string;
} & (
  | { readonly outcome: 'kept'; readonly reason?: string }
  | { readonly outcome: 'changed' | 'dropped'; readonly reason: string }
);

const MAX_SHOWN = 200;

export function kept(property: string, source: string | number, target: string | number = source): FidelityRow {
  return { property, source: shown(source), target: shown(target), outcome: 'kept' };
}

export function changed(
  property: string,
  source: string | number,
  target: string | number,
  reason: string,
): FidelityRow {
  return { property, source: shown(source), target: shown(target), outcome: 'changed', reason };
}

export function dropped(property: string, source: string | number, reason: string): FidelityRow {
  return { property, source: shown(source), target: '', outcome: 'dropped', reason };
}

/** Values come from the source unbounded; a report must not grow with them. */
function shown(value: string | number): string {
  const text = String(value);
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN).toWellFormed()}… (${text.length} characters)`;
}
