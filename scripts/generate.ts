// Writes the files that are derived from code: docs/problems.md from the problem catalogue, docs/api/ and deploy/crds/ from the schemas of our kinds. With --check it only compares and
// fails when one is stale.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { customResourceDefinitions, kindDefinitions } from '../src/api/custom-resource-definition.ts';
import { toKubernetesYaml } from '../src/app/kubernetes-yaml.ts';
import { problems } from '../src/domain/problems.ts';
import { renderProblemsPage } from './problems-page.ts';
import { pageName, renderReferenceIndex, renderReferencePage } from './reference-page.ts';

const crds = customResourceDefinitions().map((crd): [string, string] => [
  `deploy/crds/${crd.metadata.name.split('.', 1)[0]}.yaml`,
  `# Generated from src/api by npm run generate.\n${toKubernetesYaml(crd)}`,
]);
const pages = kindDefinitions.map((definition): [string, string] => [
  `docs/api/${pageName(definition)}`,
  renderReferencePage(definition),
]);
const files = Object.fromEntries([
  ['docs/problems.md', renderProblemsPage(problems)],
  ['docs/api/README.md', renderReferenceIndex(kindDefinitions)],
  ...pages,
  ...crds,
]);

const isCheck = process.argv.includes('--check');
let stale = 0;
for (const [path, text] of Object.entries(files)) {
  if (!isCheck) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  } else if (readOrEmpty(path) !== text) {
    console.error(`${path} is stale; run npm run generate`);
    stale += 1;
  }
}
process.exitCode = stale === 0 ? 0 : 1;

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // A missing file is as stale as a wrong one.
    return '';
  }
}
