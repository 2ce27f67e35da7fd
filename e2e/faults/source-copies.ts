import { copyFileSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';

/** A whole second, which can be set again exactly. */
const SOURCE_TIME_S = 1_700_000_000;

/** Keeps a copy of a source beside it, for after it was spoilt. */
export function rememberSource(path: string): void {
  utimesSync(path, SOURCE_TIME_S, SOURCE_TIME_S);
  copyFileSync(path, originalOf(path));
}

/** Makes the file what it was, by content and by time. */
export function restoreSource(path: string): void {
  // Into the same file: another one would be a change of its own.
  writeFileSync(path, readFileSync(originalOf(path)));
  utimesSync(path, SOURCE_TIME_S, SOURCE_TIME_S);
}

function originalOf(path: string): string {
  return `${path}.original`;
}
