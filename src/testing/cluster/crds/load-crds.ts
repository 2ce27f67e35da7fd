import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { parse, parseAllDocuments } from 'yaml';
import { fetchGoModule } from '../../go/build-go.ts';
import { buildKubevirtJudge } from '../../kubevirt/build.ts';

/** As far as installing one needs to know it. */
export interface CustomResourceDefinition {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

/** Each set is what a released version of that project installs. */
export const CRD_SETS = ['harvester', 'kubevirt', 'cdi', 'network-attachments'] as const;
export type CrdSet = (typeof CRD_SETS)[number];

const LOADERS: Readonly<Record<CrdSet, () => Promise<readonly CustomResourceDefinition[]>>> = {
  harvester: loadHarvesterCrds,
  kubevirt: loadKubevirtCrds,
  cdi: loadCdiCrds,
  'network-attachments': loadNetworkAttachmentCrds,
};

/** The real CRDs, of the versions that go.mod beside this file and KubeVirt's judge name. The first time ever they are fetched. */
export async function loadCrds(sets: readonly CrdSet[]): Promise<CustomResourceDefinition[]> {
  return (await Promise.all([...new Set(sets)].map((set) => LOADERS[set]()))).flat();
}

/** From the chart. What it takes over from other projects (KubeVirt's own object, snapshots, whereabouts) comes with it, as on a Harvester cluster. */
async function loadHarvesterCrds(): Promise<CustomResourceDefinition[]> {
  const folder = join(await fetchModule('github.com/harvester/harvester'), 'deploy/charts/harvester-crd/templates');
  const files = (await readdir(folder)).filter((file) => file.endsWith('.yaml')).sort();
  const crds = await Promise.all(
    files.map(async (file) => {
      const text = await readFile(join(folder, file), 'utf8');
      // In 1.8.0 none is a template; one that becomes so would be installed with its braces in it.
      if (/\{\{.*\}\}/.test(text)) throw new Error(`${file} of Harvester's CRD chart needs Helm`);
      return parseAllDocuments(text).map((document) => document.toJS() as CustomResourceDefinition | null);
    }),
  );
  return crds.flat().filter((crd) => crd !== null);
}

/** What KubeVirt's operator makes of its own Go types: printed by the judge, which takes seconds to start, and kept beside it. */
async function loadKubevirtCrds(): Promise<CustomResourceDefinition[]> {
  const judge = await buildKubevirtJudge();
  const kept = join(dirname(judge), 'crds.json');
  if (!existsSync(kept)) {
    const { stdout } = await promisify(execFile)(judge, ['crds'], { maxBuffer: 64 * 1024 * 1024 });
    const unfinished = `${kept}.${process.pid}.partial`;
    await writeFile(unfinished, stdout);
    await rename(unfinished, kept);
  }
  return JSON.parse(await readFile(kept, 'utf8')) as CustomResourceDefinition[];
}

/** CDI's operator carries them as raw strings of a Go map, in which a backquote is written as `` ` + "`" + ` ``. */
async function loadCdiCrds(): Promise<CustomResourceDefinition[]> {
  const module = await fetchModule('kubevirt.io/containerized-data-importer');
  const source = await readFile(join(module, 'pkg/operator/resources/crds_generated.go'), 'utf8');
  const joined = source.replaceAll('` + "`" + `', '\u0000');
  const crds = [...joined.matchAll(/^\t"\w+": `([^`]*)`,$/gm)].map(
    ([, text = '']) => parse(text.replaceAll('\u0000', '`')) as CustomResourceDefinition,
  );
  if (crds.length === 0) throw new Error("found no CRD in CDI's crds_generated.go");
  return crds;
}

async function loadNetworkAttachmentCrds(): Promise<CustomResourceDefinition[]> {
  const module = await fetchModule('github.com/k8snetworkplumbingwg/network-attachment-definition-client');
  return [parse(await readFile(join(module, 'artifacts/networks-crd.yaml'), 'utf8')) as CustomResourceDefinition];
}

async function fetchModule(path: string): Promise<string> {
  const versions = await readFile(join(import.meta.dirname, 'go.mod'), 'utf8');
  const [, version] =
    versions
      .split('\n')
      .map((line) => line.trim().split(' '))
      .find(([name]) => name === path) ?? [];
  if (version === undefined) throw new Error(`go.mod names no version of ${path}`);
  return fetchGoModule(path, version, import.meta.dirname);
}
