// What a user applies: sources, their Secrets, and imports.

export const USER = 'importer';
export const PASSWORD = 'a-secret-of-the-source';
const API = 'migration.harvesterhci.io/v1beta1';

export interface SourceFacts {
  readonly name: string;
  readonly url: string;
  readonly namespace?: string;
  /** False for a server that asks for no account. */
  readonly hasAccount?: boolean;
}

export function sourceObjects({ name, url, namespace = 'default', hasAccount = true }: SourceFacts): object[] {
  const login = { name: `${name}-login`, namespace };
  const source = { apiVersion: API, kind: 'OvaSource', metadata: { name, namespace } };
  if (!hasAccount) return [{ ...source, spec: { url } }];
  return [
    { apiVersion: 'v1', kind: 'Secret', metadata: login, stringData: { username: USER, password: PASSWORD } },
    { ...source, spec: { url, credentials: login } },
  ];
}

export interface ImportFacts {
  readonly name: string;
  /** Of an OvaSource. */
  readonly source: string;
  readonly sourceNamespace?: string;
  readonly namespace?: string;
}

/** The machine is made but not started: nothing here would run it. */
export function importObject(facts: ImportFacts, spec: object): object {
  const { name, source, namespace = 'default', sourceNamespace = 'default' } = facts;
  return {
    apiVersion: API,
    kind: 'VirtualMachineImport',
    metadata: { name, namespace },
    spec: {
      virtualMachineName: name,
      sourceCluster: { apiVersion: API, kind: 'OvaSource', name: source, namespace: sourceNamespace },
      run: false,
      ...spec,
    },
  };
}
