import { customResourceDefinitions } from '../../api/custom-resource-definition.ts';
import { toKubernetesYaml } from '../../app/kubernetes-yaml.ts';
import { defineCommand } from '../define-command.ts';
import { ExitCode } from '../exit-code.ts';

export const crdCommand = defineCommand({
  name: 'crd',
  help: 'Print the CustomResourceDefinitions of Airlift for a cluster.',
  positionals: [],
  flags: {
    output: { type: 'choice', short: 'o', of: ['yaml', 'json'], default: 'yaml', help: 'How they are written' },
  },
  examples: [
    [
      'airlift crd | kubectl apply --server-side --force-conflicts -f -',
      'install them, also over those of the importer that Airlift replaces',
    ],
  ],
  async run({ flags, io }) {
    const items = customResourceDefinitions();
    // kubectl takes one JSON object only, or any number of YAML documents.
    const text =
      flags.output === 'json'
        ? JSON.stringify({ apiVersion: 'v1', kind: 'List', items }, undefined, 2)
        : items.map(toKubernetesYaml).join('---\n').trimEnd();
    io.print(text);
    return ExitCode.ok;
  },
});
