import { secretKind } from '../../api/core-kinds.ts';
import { CLI_FIELD_MANAGER, MANAGED_BY_LABEL } from '../../api/literals.ts';
import { ovaSourceKind } from '../../api/ova-source.ts';
import { type StoredVirtualMachineImport, virtualMachineImportKind } from '../../api/virtual-machine-import.ts';
import { describeObject } from '../../domain/kubernetes-object.ts';
import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Cluster } from '../../ports/cluster.ts';
import { retryImport, suspendImport } from './change-import.ts';
import {
  type ImportWish,
  importObject,
  MADE_BY_CLI,
  ORIGIN_ANNOTATION,
  ownerReferenceTo,
  secretName,
  secretObject,
  sourceObject,
} from './import-wish.ts';
import { summarizeImport } from './summarize-import.ts';

export interface PlaceOptions extends CallOptions {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Begin anew what is there already. */
  readonly restart?: boolean;
}

export interface PlacedImport {
  readonly stored: StoredVirtualMachineImport;
  /** `finished`: by an earlier run; nothing was written. */
  readonly was: 'new' | 'begun' | 'finished';
}

/**
 * Brings an import, its source and its Secret into the cluster. Doing it again with the same wish goes on with what is there: suspended it is resumed, and failed or blocked it is begun
 * anew. Source and Secret belong to the import and go with it.
 * @throws ProblemError `ClusterObjectExists` for objects of these names that are for something else
 */
export async function placeImport(
  cluster: Cluster,
  wish: ImportWish,
  { now, restart = false, ...options }: PlaceOptions,
): Promise<PlacedImport> {
  const before = await findPlaced(cluster, wish, options);
  if (before !== undefined && summarizeImport(before).verdict === 'done') return { stored: before, was: 'finished' };
  // The source first: an import whose source is not there yet would be told so.
  await applySource(cluster, wish, before, options);
  const apply = { ...options, fieldManager: CLI_FIELD_MANAGER };
  const applied = await cluster.apply(virtualMachineImportKind, importObject(wish), apply);
  if (before === undefined) {
    await applySource(cluster, wish, applied, options);
    return { stored: applied, was: 'new' };
  }
  const { verdict } = summarizeImport(applied);
  const resumed = applied.spec?.suspend === true ? await suspendImport(cluster, applied, false, options) : applied;
  const isStuck = verdict === 'failed' || verdict === 'blocked';
  const stored = restart || isStuck ? await retryImport(cluster, resumed, now, options) : resumed;
  return { stored, was: 'begun' };
}

/**
 * The import that the same wish made before.
 * @throws ProblemError `ClusterObjectExists` for objects of these names that are for something else
 */
export async function findPlaced(
  cluster: Cluster,
  { name, namespace, origin }: Pick<ImportWish, 'name' | 'namespace' | 'origin'>,
  options: CallOptions = {},
): Promise<StoredVirtualMachineImport | undefined> {
  const ref = { namespace, name };
  const found = await cluster.get(virtualMachineImportKind, ref, options);
  const source = await cluster.get(ovaSourceKind, ref, options);
  const refuse = (what: string, why: string) =>
    new ProblemError('ClusterObjectExists', `${what} is there already, ${why}`);
  if (found?.metadata.deletionTimestamp !== undefined)
    throw refuse(describeObject(virtualMachineImportKind, ref), 'and is being deleted');
  const madeFrom = found?.metadata.annotations?.[ORIGIN_ANNOTATION];
  if (found !== undefined && madeFrom !== origin)
    throw refuse(
      describeObject(virtualMachineImportKind, ref),
      `and imports ${madeFrom ?? 'what somebody else told it'}`,
    );
  if (source !== undefined && source.metadata.labels?.[MANAGED_BY_LABEL] !== MADE_BY_CLI)
    throw refuse(describeObject(ovaSourceKind, ref), 'and somebody else made it');
  return found;
}

/** Its Secret with it. */
export async function removeSource(
  cluster: Cluster,
  { name, namespace }: Pick<ImportWish, 'name' | 'namespace'>,
  options: CallOptions = {},
): Promise<void> {
  await cluster.delete(ovaSourceKind, { namespace, name }, options);
  await cluster.delete(secretKind, { namespace, name: secretName(name) }, options);
}

async function applySource(
  cluster: Cluster,
  wish: ImportWish,
  owner: StoredVirtualMachineImport | undefined,
  options: CallOptions,
): Promise<void> {
  const reference = owner && ownerReferenceTo(owner);
  const apply = { ...options, fieldManager: CLI_FIELD_MANAGER, force: true };
  const secret = secretObject(wish, reference);
  if (secret !== undefined) await cluster.apply(secretKind, secret, apply);
  await cluster.apply(ovaSourceKind, sourceObject(wish, reference), apply);
}
