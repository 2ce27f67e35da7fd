import { type FieldPath, type ListKeys, leavesOf, mergeFields, removeLeaf, showPath } from './field-paths.ts';
import { type Fields, isSame, without } from './fields.ts';

/** Who set which fields. Immutable. */
export type FieldManagers = ReadonlyMap<ManagerId, ReadonlySet<FieldPath>>;

/** One name that applies and updates counts as two, as on a real server: an update's fields are not removed by an apply that leaves them out. */
type ManagerId = `${'Apply' | 'Update'} ${string}`;

/** What no manager owns: it identifies the object or is kept by the server. */
const KEPT_BY_SERVER = [
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'generateName',
  'managedFields',
];

function ownable(object: Fields): Fields {
  const { metadata, ...rest } = without(object, 'apiVersion', 'kind');
  const own = without((metadata ?? {}) as Fields, ...KEPT_BY_SERVER);
  return Object.keys(own).length > 0 ? { ...rest, metadata: own } : rest;
}

/** After a create, replace or patch: what it set is the manager's and nobody else's, what it removed is nobody's. */
export function managersAfterUpdate(
  managers: FieldManagers,
  before: Fields,
  after: Fields,
  manager: string,
  listKeys: ListKeys,
): FieldManagers {
  const [then, now] = [leavesOf(ownable(before), listKeys), leavesOf(ownable(after), listKeys)];
  const set = [...now.keys()].filter((path) => !then.has(path) || !isSame(then.get(path), now.get(path)));
  const removed = [...then.keys()].filter((path) => !now.has(path));
  if (set.length === 0 && removed.length === 0) return managers;
  const left = takeFrom(managers, new Set([...set, ...removed]));
  const id: ManagerId = `Update ${manager}`;
  return set.length === 0 ? left : new Map(left).set(id, new Set([...(left.get(id) ?? []), ...set]));
}

function takeFrom(managers: FieldManagers, taken: ReadonlySet<FieldPath>): FieldManagers {
  const left = new Map<ManagerId, ReadonlySet<FieldPath>>();
  for (const [id, paths] of managers) {
    const kept = new Set([...paths].filter((path) => !taken.has(path)));
    if (kept.size > 0) left.set(id, kept);
  }
  return left;
}

export interface FieldConflict {
  readonly manager: string;
  readonly fields: readonly string[];
}

export interface AppliedFields {
  readonly object: Fields;
  readonly managers: FieldManagers;
}

/**
 * Server-side apply. Without `force`, the conflicts instead when a field that another manager set would change. The same `managers` when nothing changes about them.
 * @param manager with the subresource, where it is applied to one: they are managers of their own
 */
export function applyFields(
  live: Fields,
  managers: FieldManagers,
  applied: Fields,
  options: { readonly manager: string; readonly force: boolean; readonly listKeys: ListKeys },
): AppliedFields | readonly FieldConflict[] {
  const { manager, force, listKeys } = options;
  const id: ManagerId = `Apply ${manager}`;
  const wanted = ownable(applied);
  const wantedLeaves = leavesOf(wanted, listKeys);
  const liveLeaves = leavesOf(ownable(live), listKeys);

  const contested = [...wantedLeaves]
    .filter(([path, value]) => !isSame(liveLeaves.get(path), value))
    .map(([path]) => path);
  const conflicts = [...managers]
    .filter(([other]) => other !== id)
    .map(([other, paths]) => ({
      manager: other.slice(other.indexOf(' ') + 1),
      fields: contested.filter((path) => paths.has(path)).map(showPath),
    }))
    .filter(({ fields }) => fields.length > 0);
  if (conflicts.length > 0 && !force) return conflicts;

  const others = takeFrom(new Map([...managers].filter(([other]) => other !== id)), new Set(contested));
  const isOthers = (path: FieldPath) => [...others.values()].some((paths) => paths.has(path));
  const dropped = [...(managers.get(id) ?? [])].filter((path) => !wantedLeaves.has(path) && !isOthers(path));
  const cleared = dropped.reduce<Fields>(removeLeaf, live);
  const after = wantedLeaves.size === 0 ? others : new Map(others).set(id, new Set(wantedLeaves.keys()));
  return {
    object: mergeFields(cleared, wanted, listKeys) as Fields,
    managers: isSameManagers(managers, after) ? managers : after,
  };
}

function isSameManagers(a: FieldManagers, b: FieldManagers): boolean {
  if (a.size !== b.size) return false;
  return [...a].every(
    ([id, paths]) => b.get(id)?.size === paths.size && [...paths].every((path) => b.get(id)?.has(path)),
  );
}
