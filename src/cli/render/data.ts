import { toKubernetesYaml } from '../../app/kubernetes-yaml.ts';

export type OutputFormat = 'table' | 'json' | 'yaml';

/** Valid in JSON as they are, but a terminal would act on some of them. */
const UNPRINTABLE = /[\u007f-\u009f\u2028\u2029\p{Cf}]/gu;

/** The data for machines, or `text` for people. */
export function renderData(data: object, format: OutputFormat, text: () => string): string {
  if (format === 'json') return escapeUnprintable(JSON.stringify(data, undefined, 2));
  if (format === 'yaml') return toKubernetesYaml(JSON.parse(JSON.stringify(data))).trimEnd();
  return text();
}

/** Outside strings JSON has only printable characters, so these are all inside some. */
function escapeUnprintable(json: string): string {
  return json.replaceAll(UNPRINTABLE, (character) =>
    Array.from({ length: character.length }, (_, index) => character.charCodeAt(index))
      .map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`)
      .join(''),
  );
}
