import { type Document, parseAllDocuments } from 'yaml';
import { secretKind } from '../../api/core-kinds.ts';
import { API_GROUP } from '../../api/literals.ts';
import { virtualMachineImportKind } from '../../api/virtual-machine-import.ts';
import type { KubernetesObject, ResourceKind } from '../../domain/kubernetes-object.ts';
import { isProblem, ProblemError } from '../../domain/problems.ts';
import { sourceKinds } from './list-sources.ts';

/** A document of a manifest: an object, and how messages name it. */
export interface ManifestObject {
  readonly kind: ResourceKind;
  readonly object: KubernetesObject;
  /** `web.yaml, document 2 (OvaSource files)` */
  readonly label: string;
}

export interface ReadManifestOptions {
  /** Where objects go that name no namespace. */
  readonly namespace: string;
  /** They may go nowhere else. */
  readonly isNamespaceFixed: boolean;
}

const ownKinds: readonly ResourceKind[] = [virtualMachineImportKind, ...sourceKinds.map(({ resource }) => resource)];
/** Secrets belong to sources. */
const knownKinds: readonly ResourceKind[] = [...ownKinds, secretKind];

/** What kubectl's parser takes as text: dates and the like are, words as `yes` are not. */
const TEXT_TO_KUBERNETES = ['timestamp', 'binary', 'omap', 'pairs', 'set'].map((name) => `tag:yaml.org,2002:${name}`);

/**
 * The objects of a manifest, YAML or JSON, of any number of documents and lists of objects: sources, their Secrets, and imports.
 * @throws ProblemError `ManifestUnreadable` with all that is wrong, each naming its document
 */
export function readManifest(name: string, text: string, options: ReadManifestOptions): readonly ManifestObject[] {
  const wrong: string[] = [];
  const objects: ManifestObject[] = [];
  for (const [index, document] of parse(text).entries()) {
    const place = `${name}, document ${index + 1}`;
    for (const value of valuesOf(document, place, wrong)) {
      try {
        objects.push(readObject(value, place, options));
      } catch (error) {
        if (!isProblem(error)) throw error;
        wrong.push(error.message);
      }
    }
  }
  if (wrong.length > 0) throw new ProblemError('ManifestUnreadable', wrong.join('; '));
  if (objects.length === 0) throw new ProblemError('ManifestUnreadable', `${name} holds no object`);
  return objects;
}

function parse(text: string): readonly Document.Parsed[] {
  const documents = parseAllDocuments(text, {
    version: '1.1',
    prettyErrors: false,
    logLevel: 'silent',
    customTags: (tags) => tags.filter((tag) => typeof tag === 'string' || !TEXT_TO_KUBERNETES.includes(tag.tag)),
  });
  return Array.isArray(documents) ? documents : [];
}

/** The document's object, or those of the list that it is; nothing for an empty one. */
function valuesOf(document: Document.Parsed, place: string, wrong: string[]): readonly unknown[] {
  const [error] = document.errors;
  if (error !== undefined) {
    wrong.push(`${place}: ${error.message.split('\n')[0]}`);
    return [];
  }
  let value: unknown;
  try {
    value = document.toJS();
  } catch (cause) {
    // Such as aliases that would grow without end.
    wrong.push(`${place}: ${cause instanceof Error ? cause.message : String(cause)}`);
    return [];
  }
  if (value === null || value === undefined) return [];
  const isList = isRecord(value) && value.kind === 'List' && Array.isArray(value.items);
  return isList ? (value as { items: readonly unknown[] }).items : [value];
}

function readObject(value: unknown, place: string, options: ReadManifestOptions): ManifestObject {
  const { namespace: wanted, isNamespaceFixed } = options;
  if (!isRecord(value)) throw unreadable(place, 'is no object');
  const { apiVersion, kind: kindName, metadata } = value;
  if (typeof apiVersion !== 'string' || typeof kindName !== 'string')
    throw unreadable(place, 'has no apiVersion and kind');
  const { name, namespace } = isRecord(metadata) ? metadata : {};
  if (typeof name !== 'string' || name === '') throw unreadable(`${place} (${kindName})`, 'has no metadata.name');
  const label = `${place} (${kindName} ${name})`;
  const kind = knownKinds.find((each) => each.apiVersion === apiVersion && each.kind === kindName);
  if (kind === undefined) throw unreadable(label, whyNot(apiVersion, kindName));
  if (isNamespaceFixed && namespace !== undefined && namespace !== wanted)
    throw unreadable(label, `is of namespace "${String(namespace)}", but --namespace says "${wanted}"`);
  const object = { ...value, metadata: { ...(metadata as object), namespace: namespace ?? wanted } };
  return { kind, object: object as unknown as KubernetesObject, label };
}

function whyNot(apiVersion: string, kindName: string): string {
  if (apiVersion.startsWith(`${API_GROUP}/`)) {
    const [version = ''] = new Set(ownKinds.map((each) => each.apiVersion));
    return `is no kind of ${version}; there are ${ownKinds.map(({ kind }) => kind).join(', ')}`;
  }
  return `is a ${kindName} of ${apiVersion}, which \`kubectl apply\` has to apply`;
}

function unreadable(place: string, why: string): ProblemError {
  return new ProblemError('ManifestUnreadable', `${place} ${why}`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
