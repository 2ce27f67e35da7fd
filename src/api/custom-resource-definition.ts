import type { KubernetesObject, ResourceKind } from '../domain/kubernetes-object.ts';
import type { ObjectCondition } from './core-kinds.ts';
import type { KindDefinition, PrinterColumn } from './kind-definition.ts';
import { API_GROUP } from './literals.ts';
import { openstackSourceDefinition } from './openstack-source.ts';
import { ovaSourceDefinition } from './ova-source.ts';
import { readFields, type StructuralSchema, toStructuralSchema } from './structural-schema.ts';
import { virtualMachineImportDefinition } from './virtual-machine-import.ts';
import { vmwareSourceDefinition } from './vmware-source.ts';

export interface CustomResourceDefinition extends KubernetesObject {
  readonly spec?: {
    readonly group: string;
    readonly names: {
      readonly kind: string;
      readonly plural: string;
      readonly singular?: string;
      readonly shortNames?: readonly string[];
      readonly categories?: readonly string[];
    };
    readonly scope: 'Namespaced' | 'Cluster';
    readonly preserveUnknownFields?: boolean;
    readonly versions: readonly {
      readonly name: string;
      readonly served: boolean;
      readonly storage: boolean;
      readonly schema?: { readonly openAPIV3Schema?: StructuralSchema };
      readonly subresources?: { readonly status?: object };
      readonly additionalPrinterColumns?: readonly PrinterColumn[];
    }[];
  };
  readonly status?: { readonly conditions?: readonly ObjectCondition[]; readonly storedVersions?: readonly string[] };
}
export const customResourceDefinitionKind: ResourceKind<CustomResourceDefinition> = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  isNamespaced: false,
};

export const kindDefinitions: readonly KindDefinition[] = [
  virtualMachineImportDefinition,
  vmwareSourceDefinition,
  openstackSourceDefinition,
  ovaSourceDefinition,
];

/** The CRDs of all kinds, to be applied over whichever are there (docs/decisions/0011-crds.md). */
export function customResourceDefinitions(): readonly CustomResourceDefinition[] {
  return kindDefinitions.map(toCustomResourceDefinition);
}

function toCustomResourceDefinition(definition: KindDefinition): CustomResourceDefinition {
  const { resource, singular, shortNames, columns, schema } = definition;
  const { properties = {} } = toStructuralSchema(readFields(schema));
  return {
    apiVersion: customResourceDefinitionKind.apiVersion,
    kind: customResourceDefinitionKind.kind,
    metadata: { name: `${resource.plural}.${API_GROUP}` },
    spec: {
      group: API_GROUP,
      names: { kind: resource.kind, plural: resource.plural, singular, shortNames, categories: ['airlift'] },
      scope: 'Namespaced',
      // The server keeps only fields that the schema has; upstream says it too.
      preserveUnknownFields: false,
      versions: [
        {
          name: resource.apiVersion.slice(`${API_GROUP}/`.length),
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', properties } },
          subresources: { status: {} },
          additionalPrinterColumns: columns,
        },
      ],
    },
  };
}
