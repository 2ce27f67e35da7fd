import { describe, expect, test } from 'vitest';
import { isProblem } from '../../domain/problems.ts';
import { readManifest } from './read-manifest.ts';

const API = 'migration.harvesterhci.io/v1beta1';
const options = { namespace: 'vms', isNamespaceFixed: false };
const read = (text: string, more: Partial<typeof options> = {}) =>
  readManifest('web.yaml', text, { ...options, ...more });

function wrongOf(text: string, more: Partial<typeof options> = {}): string {
  try {
    read(text, more);
  } catch (error) {
    if (isProblem(error, 'ManifestUnreadable')) return error.message;
    throw error;
  }
  return '';
}

const manifest = `
apiVersion: v1
kind: Secret
metadata: {name: files-login}
stringData: {username: me, password: yes}
---
apiVersion: ${API}
kind: OvaSource
metadata: {name: files, namespace: sources}
spec: {url: https://files.example/web01.ova}
---
apiVersion: ${API}
kind: VirtualMachineImport
metadata: {name: web01}
spec: {virtualMachineName: web01}
`;

describe('readManifest', () => {
  test('reads every document, and puts those without a namespace where the others go', () => {
    const objects = read(manifest);
    expect(objects.map(({ kind, object }) => [kind.plural, object.metadata.namespace, object.metadata.name])).toEqual([
      ['secrets', 'vms', 'files-login'],
      ['ovasources', 'sources', 'files'],
      ['virtualmachineimports', 'vms', 'web01'],
    ]);
  });

  test('reads JSON, lists of objects, and passes over empty documents', () => {
    const source = { apiVersion: API, kind: 'OvaSource', metadata: { name: 'files' } };
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [source, source] });
    expect(read(`---\n---\n${list}\n---\n# nothing\n`)).toHaveLength(2);
  });

  test('takes as text what kubectl takes as text', () => {
    const text = `{apiVersion: ${API}, kind: OvaSource, metadata: {name: files, annotations: {on: 2026-01-02}}}`;
    const [first] = read(text);
    expect(first?.object.metadata.annotations).toEqual({ true: '2026-01-02' });
  });

  test('tells everything that is wrong at once, each with its document', () => {
    const wrong = wrongOf(`
apiVersion: ${API}
kind: OvaSource
---
kind: OvaSource
metadata: {name: files}
---
- a list
---
apiVersion: ${API}
kind: VSphereSource
metadata: {name: files}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
---
key: "unfinished
`);
    expect(wrong.split('; ').map((each) => each.replace(/ at line.*/, ''))).toEqual([
      'web.yaml, document 1 (OvaSource) has no metadata.name',
      'web.yaml, document 2 has no apiVersion and kind',
      'web.yaml, document 3 is no object',
      expect.stringContaining(
        'web.yaml, document 4 (VSphereSource files) is no kind of migration.harvesterhci.io/v1beta1',
      ),
      'there are VirtualMachineImport, VmwareSource, OpenstackSource, OvaSource',
      'web.yaml, document 5 (Deployment web) is a Deployment of apps/v1, which `kubectl apply` has to apply',
      expect.stringContaining('web.yaml, document 6: '),
    ]);
  });

  test('a namespace that was given holds for everything', () => {
    expect(wrongOf(manifest, { isNamespaceFixed: true })).toBe(
      'web.yaml, document 2 (OvaSource files) is of namespace "sources", but --namespace says "vms"',
    );
  });

  test.each([['# nothing at all'], ['']])('a manifest without an object is no success: "%s"', (text) => {
    expect(wrongOf(text)).toBe('web.yaml holds no object');
  });

  test('aliases that grow without end are refused, not followed', () => {
    const bomb = Array.from({ length: 12 }, (_, level) => {
      const inner =
        level === 0
          ? '[x, x, x, x, x, x, x, x, x]'
          : `[${Array(9)
              .fill(`*a${level - 1}`)
              .join(', ')}]`;
      return `a${level}: &a${level} ${inner}`;
    }).join('\n');
    expect(wrongOf(bomb)).toMatch(/^web\.yaml, document 1: .*alias/i);
  });
});
