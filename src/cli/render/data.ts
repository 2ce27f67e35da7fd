import { stringify } from 'yaml';

export type OutputFormat = 'table' | 'json' | 'yaml';

/** The same data for machines, or as `renderText` shows it to people. */
export function renderData<T>(data: T, format: OutputFormat, renderText: (data: T) => string): string {
  if (format === 'json') return JSON.stringify(data, undefined, 2);
  if (format === 'yaml') return stringify(JSON.parse(JSON.stringify(data))).trimEnd();
  return renderText(data);
}
