import { isProblem } from '../domain/problems.ts';
import type { LogFields } from '../ports/log.ts';

const GONE = '[redacted]';
const SECRET = /authori[sz]ation|passw(or)?d|passphrase|token|secret|cookie|credential|private.?key|api.?key/i;
/** Of Secrets, what may be told. */
const HARMLESS = /^secret(Name|Namespace|Version)$/;
const MOST_DEPTH = 6;
const MOST_ITEMS = 100;
const MOST_TEXT = 8_192;
const MOST_CAUSES = 8;

/**
 * Fields as they may be written: whatever is named like a secret is left out, so is an account in an address or a header; errors become plain objects with code, context and causes; what
 * is too large, too deep or goes in circles is cut off.
 */
export function loggable(fields: LogFields): Record<string, unknown> {
  return entriesOf(fields, []);
}

function plain(value: unknown, path: readonly unknown[]): unknown {
  if (typeof value === 'string') return clean(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'function' || typeof value === 'symbol') return String(typeof value);
  if (typeof value !== 'object' || value === null) return value;
  if (path.includes(value)) return '[circular]';
  if (path.length >= MOST_DEPTH) return '[deeper]';
  if (value instanceof Error) return describeError(value, path);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'no date' : value.toISOString();
  if (value instanceof URL) return clean(value.href);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  const below = [...path, value];
  if (value instanceof Map) return entriesOf(Object.fromEntries(value), below);
  if (value instanceof Set) return listOf([...value], below);
  return Array.isArray(value) ? listOf(value, below) : entriesOf(value, below);
}

function listOf(list: readonly unknown[], path: readonly unknown[]): unknown[] {
  const kept = list.slice(0, MOST_ITEMS).map((each) => plain(each, path));
  return list.length > MOST_ITEMS ? [...kept, `[${list.length - MOST_ITEMS} more]`] : kept;
}

function entriesOf(object: object, path: readonly unknown[]): Record<string, unknown> {
  const entries = Object.entries(object).slice(0, MOST_ITEMS);
  return Object.fromEntries(entries.map(([name, value]) => [name, isSecret(name, value) ? GONE : plain(value, path)]));
}

function isSecret(name: string, value: unknown): boolean {
  return typeof value !== 'boolean' && value != null && SECRET.test(name) && !HARMLESS.test(name);
}

function describeError(error: Error, path: readonly unknown[]): Record<string, unknown> {
  const causes: unknown[] = [];
  const seen = new Set<unknown>([error]);
  for (let cause = error.cause; cause !== undefined && causes.length < MOST_CAUSES; ) {
    if (seen.has(cause)) break;
    seen.add(cause);
    causes.push(cause instanceof Error ? essence(cause, path) : plain(cause, [...path, error]));
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  const several = error instanceof AggregateError ? { errors: listOf(error.errors, [...path, error]) } : {};
  return {
    ...essence(error, path),
    ...several,
    ...(causes.length === 0 ? {} : { causes }),
    // Where a problem is noticed is told by its code; where a mistake of ours is, only by its stack.
    ...(isProblem(error) || error.stack === undefined ? {} : { stack: clean(error.stack) }),
  };
}

function essence(error: Error, path: readonly unknown[]): Record<string, unknown> {
  const { code } = error as { readonly code?: unknown };
  return {
    name: error.name,
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    message: clean(error.message),
    ...(isProblem(error) && Object.keys(error.context).length > 0
      ? { context: entriesOf(error.context, [...path, error]) }
      : {}),
  };
}

function clean(text: string): string {
  const cleaned = text
    .slice(0, MOST_TEXT)
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/)[^/?#\s@]+@/gi, '$1')
    .replace(/\b(Basic|Bearer)\s+[\w.~+/=-]{6,}/gi, `$1 ${GONE}`);
  return text.length > MOST_TEXT ? `${cleaned}... [${text.length} characters]` : cleaned;
}
