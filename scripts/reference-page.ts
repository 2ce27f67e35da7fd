import type { KindDefinition } from '../src/api/kind-definition.ts';
import { type FieldNode, readFields } from '../src/api/structural-schema.ts';

/** A page for docs/api/ that leads to the others. */
export function renderReferenceIndex(definitions: readonly KindDefinition[]): string {
  const rows = definitions.map((definition) => {
    const { resource, summary, shortNames } = definition;
    return `| [${resource.kind}](${pageName(definition)}) | ${shortNames.map((name) => `\`${name}\``).join(', ')} | ${summary} |`;
  });
  return [
    '# Kinds',
    '',
    '<!-- Generated from src/api by npm run generate. -->',
    '',
    '`kubectl get airlift` lists the objects of all kinds of a namespace; `airlift crd | kubectl apply --server-side --force-conflicts -f -` installs or updates the kinds.',
    '',
    '| Kind | Short name | |',
    '| --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

/** Such as `virtual-machine-import.md`. */
export function pageName({ resource }: KindDefinition): string {
  return `${resource.kind.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase()}.md`;
}

/** The page of one kind for docs/api/: every field with its type, default and meaning, and whether it is Harvester's or ours. */
export function renderReferencePage(definition: KindDefinition): string {
  const { resource, shortNames, columns, summary, schema } = definition;
  const { spec, status } = readFields(schema).properties ?? {};
  if (spec === undefined || status === undefined) throw new Error(`${resource.kind} has no spec or no status`);
  return [
    `# ${resource.kind}`,
    '',
    `<!-- Generated from src/api by npm run generate. -->`,
    '',
    summary,
    '',
    `\`${resource.apiVersion}\`, in a namespace. \`kubectl get ${resource.plural}\`, or \`${shortNames.join('`, `')}\` for short.`,
    '',
    'A field marked *Harvester* is the same in the importer that Airlift replaces; there, as here, absent, `null` and empty are one. Fields marked *Airlift* are additions.',
    '',
    '## Spec',
    '',
    ...fieldTable(spec, 'spec'),
    '',
    '## Status',
    '',
    ...fieldTable(status, 'status'),
    '',
    '## Columns of `kubectl get`',
    '',
    '| Column | Shows | |',
    '| --- | --- | --- |',
    ...columns.map(
      ({ name, jsonPath, priority }) => `| ${name} | \`${jsonPath}\` | ${priority ? 'with `-o wide`' : ''} |`,
    ),
    '',
  ].join('\n');
}

function fieldTable(node: FieldNode, path: string): string[] {
  return ['| Field | Type | Default | From | Meaning |', '| --- | --- | --- | --- | --- |', ...rowsOf(node, path)];
}

function rowsOf(node: FieldNode, path: string): string[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, field]) => {
    const at = `${path}.${name}${field.type === 'array' ? '[]' : ''}`;
    const isRequired = node.required.includes(name);
    return [rowOf(at, field, isRequired), ...rowsOf(field.items ?? field, at)];
  });
}

function rowOf(path: string, field: FieldNode, isRequired: boolean): string {
  const { defaultText, description, isUpstream } = field;
  const cells = [
    `\`${path}\``,
    `${typeOf(field)}${isRequired ? ', required' : ''}`,
    defaultText ?? defaultValueOf(field),
    isUpstream ? 'Harvester' : 'Airlift',
    description,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function defaultValueOf({ defaultValue }: FieldNode): string {
  const isEmpty = typeof defaultValue === 'object' && JSON.stringify(defaultValue) === '{}';
  return defaultValue === undefined || isEmpty ? '' : `\`${JSON.stringify(defaultValue)}\``;
}

function typeOf({ type, items, limits }: FieldNode): string {
  if (type === 'array') return `list of ${items?.type === 'object' ? 'objects' : `${items?.type}s`}`;
  if (limits.enum !== undefined) return limits.enum.map((value) => `\`${JSON.stringify(value)}\``).join(', ');
  if (limits.format === 'date-time') return 'time';
  const range = [
    limits.minimum === undefined || limits.minimum === 0 ? undefined : `from ${limits.minimum}`,
    limits.maximum === undefined ? undefined : `to ${limits.maximum}`,
    limits.maxLength === undefined ? undefined : `up to ${limits.maxLength} characters`,
  ].filter((each) => each !== undefined);
  return [type, ...range].join(' ');
}
