import { describe, expect, test } from 'vitest';
import { type UpstreamKind, upstreamCrds, upstreamKinds, upstreamSchema } from '../testing/upstream/crds.ts';
import { customResourceDefinitions } from './custom-resource-definition.ts';

type Schema = Readonly<Record<string, unknown>>;

const crds = customResourceDefinitions();

function crdOf(kind: UpstreamKind) {
  const crd = crds.find(({ spec }) => spec?.names.kind === kind)?.spec;
  const [version] = crd?.versions ?? [];
  if (crd === undefined || version === undefined) throw new Error(`no CRD of ${kind}`);
  return { ...crd, version, schema: version.schema?.openAPIV3Schema as unknown as Schema };
}

/** Ours without what upstream's does not have. */
function upstreamPart(ours: Schema, upstreams: Schema): Schema {
  const part: Record<string, unknown> = { ...ours };
  const [own, theirs] = [ours.properties, upstreams.properties] as [Record<string, Schema>, Record<string, Schema>];
  if (theirs !== undefined) {
    part.properties = Object.fromEntries(
      Object.entries(theirs).flatMap(([key, each]) => {
        const mine = own[key];
        return mine === undefined ? [] : [[key, upstreamPart(mine, each)]];
      }),
    );
  }
  if (upstreams.items !== undefined) part.items = upstreamPart(ours.items as Schema, upstreams.items as Schema);
  return part;
}

/** Every field of ours that upstream's schema does not have, by its path. */
function ownFields(ours: Schema, upstreams: Schema | undefined, path: string): [string, Schema, Schema][] {
  return [
    ...Object.entries((ours.properties ?? {}) as Record<string, Schema>).flatMap(([key, field]) => {
      const theirs = (upstreams?.properties as Record<string, Schema> | undefined)?.[key];
      const inner = ownFields(field, theirs, `${path}.${key}`);
      return theirs === undefined ? [[`${path}.${key}`, field, ours] as [string, Schema, Schema], ...inner] : inner;
    }),
    ...(ours.items === undefined
      ? []
      : ownFields(ours.items as Schema, upstreams?.items as Schema | undefined, `${path}[]`)),
  ];
}

describe.each(upstreamKinds)('the CRD of %s', (kind) => {
  const ours = crdOf(kind);
  const theirs = upstreamCrds.find(({ spec }) => spec.names.kind === kind);

  test("has upstream's fields with upstream's schema exactly", () => {
    expect(upstreamPart(ours.schema, upstreamSchema(kind))).toEqual(upstreamSchema(kind));
  });

  test("is the same resource as upstream's", () => {
    expect(crds.map(({ metadata }) => metadata.name)).toContain(theirs?.metadata.name);
    expect(ours).toMatchObject({ group: theirs?.spec.group, scope: 'Namespaced', preserveUnknownFields: false });
    expect(ours.names).toMatchObject(theirs?.spec.names ?? {});
    expect(ours.versions).toHaveLength(1);
    expect(ours.version).toMatchObject({ name: 'v1beta1', served: true, storage: true, subresources: { status: {} } });
  });

  test("shows upstream's column first and the age last", () => {
    const columns = ours.version.additionalPrinterColumns ?? [];
    expect(columns[0]).toEqual(theirs?.spec.versions[0]?.additionalPrinterColumns[0]);
    expect(columns.at(-1)).toMatchObject({ name: 'Age', type: 'date' });
  });

  test('every field of ours says what it is for', () => {
    const fields = ownFields(ours.schema, upstreamSchema(kind), '');
    expect(fields.length).toBeGreaterThan(0);
    expect(fields.filter(([, field]) => !field.description).map(([path]) => path)).toEqual([]);
  });

  test('the server adds nothing to an object that has no field of ours', () => {
    const fields = ownFields(ours.schema, upstreamSchema(kind), '');
    const roots = fields.filter(([path]) => !fields.some(([other]) => path.startsWith(`${other}.`)));
    expect(roots.filter(([, field]) => 'default' in field).map(([path]) => path)).toEqual([]);
    expect(ours.schema).not.toHaveProperty('required');
  });
});

test('inside an object of ours the server fills in defaults', () => {
  expect(crdOf('VirtualMachineImport').schema).toHaveProperty(
    'properties.spec.properties.transfer.properties.verify.default',
    'readback',
  );
});

test('no name of ours is taken by KubeVirt or Harvester', () => {
  const taken = ['vm', 'vms', 'vmi', 'vmis', 'vmim', 'vmims', 'vmirs', 'vmimage', 'vmimages', 'vmbackup', 'vmpool'];
  const names = crds.flatMap(({ spec }) => spec?.names.shortNames ?? []);
  expect(names).toEqual(['vmimport', 'vmwaresrc', 'openstacksrc', 'ovasrc']);
  expect(names.filter((name) => taken.includes(name))).toEqual([]);
});

test('patterns mean the same to the server, whose regular expressions are RE2', () => {
  const patterns = [...JSON.stringify(crds).matchAll(/"pattern":("(?:[^"\\]|\\.)*")/g)].map(([, text = '""']) =>
    JSON.parse(text),
  );
  expect(patterns.length).toBeGreaterThan(3);
  expect(patterns.filter((pattern) => /\(\?[^:]|\\[1-9]|\\[pPuk]/.test(pattern))).toEqual([]);
});
