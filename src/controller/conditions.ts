/** As upstream stores them, read leniently. */
export interface StoredCondition {
  readonly type?: string | undefined;
  readonly status?: string | undefined;
  readonly lastUpdateTime?: string | undefined;
  readonly lastTransitionTime?: string | undefined;
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
}

export interface ConditionClaim {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
}

/**
 * Merges by type, keeping the order in which types first came, as upstream does. A condition that says the same keeps both its times, so that writing it again changes nothing; the
 * time of transition changes with the status only (upstream overwrites it each time, reference section 1.4).
 */
export function mergeConditions(
  stored: readonly StoredCondition[],
  claims: readonly ConditionClaim[],
  now: string,
): StoredCondition[] {
  const merged = [...stored];
  for (const claim of claims) {
    const at = merged.findIndex(({ type }) => type === claim.type);
    const before = merged[at];
    const isSame =
      before?.status === claim.status && before.reason === claim.reason && before.message === claim.message;
    if (isSame) continue;
    const next: StoredCondition = {
      type: claim.type,
      status: claim.status,
      lastUpdateTime: now,
      lastTransitionTime: before?.status === claim.status ? (before.lastTransitionTime ?? now) : now,
      ...(claim.reason === undefined ? {} : { reason: claim.reason }),
      ...(claim.message === undefined ? {} : { message: claim.message }),
    };
    if (before === undefined) merged.push(next);
    else merged[at] = next;
  }
  return merged;
}

export function isConditionTrue(conditions: readonly StoredCondition[] | undefined, type: string): boolean {
  return conditions?.some((each) => each.type === type && each.status === 'True') ?? false;
}
