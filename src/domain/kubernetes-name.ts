/** An RFC 1123 label, the form that names of KubeVirt's VirtualMachines must have. */
export const KUBERNETES_NAME = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/;
export const KUBERNETES_NAME_MAX_LENGTH = 63;

/** Letters that Unicode does not decompose into a base letter and a mark. */
const transliterations: ReadonlyMap<string, string> = new Map([
  ['ß', 'ss'],
  ['æ', 'ae'],
  ['œ', 'oe'],
  ['ø', 'o'],
  ['đ', 'd'],
  ['ð', 'd'],
  ['þ', 'th'],
  ['ł', 'l'],
  ['ħ', 'h'],
  ['ı', 'i'],
]);

/** True for an RFC 1123 label, the form that names of KubeVirt's VirtualMachines must have. */
export function isKubernetesName(name: string): boolean {
  return name.length <= KUBERNETES_NAME_MAX_LENGTH && KUBERNETES_NAME.test(name);
}

/**
 * The Kubernetes name proposed for a machine that is called `name` on its source: an RFC 1123 label, never empty, always the same for the same name.
 *
 * Case, accents and separators (blanks, underscores, dots, other punctuation) are simply rewritten: `Web_01 (old)` becomes `web-01-old`. Two names that differ
 * only in these propose the same result, which is met as `TargetExists` before anything is written; a suffix on each of these many names would cost more than it gives.
 * Where letters or digits are lost, or the end is cut off, names that differ in substance could meet, so a short hash of the whole name is appended:
 * `сервер-01` becomes `01-` and eight hex digits. When nothing readable is left, `machine` stands before the hash.
 */
export function toKubernetesName(name: string): string {
  let hasLost = false;
  let label = '';
  for (const character of name.normalize('NFKD').toLowerCase()) {
    if (/[a-z0-9]/.test(character)) label += character;
    else if (/\p{Mark}/u.test(character)) continue;
    else if (transliterations.has(character)) label += transliterations.get(character);
    else {
      if (/[\p{Letter}\p{Number}]/u.test(character)) hasLost = true;
      if (!label.endsWith('-')) label += '-';
    }
  }
  label = trimHyphens(label);
  if (label.length > 0 && label.length <= KUBERNETES_NAME_MAX_LENGTH && !hasLost) return label;

  const suffix = `-${shortHash(name)}`;
  return `${trimHyphens(label.slice(0, KUBERNETES_NAME_MAX_LENGTH - suffix.length)) || 'machine'}${suffix}`;
}

function trimHyphens(text: string): string {
  return text.replace(/^-|-$/g, '');
}

/** FNV-1a, 32 bits, over UTF-8: tells names apart, protects nothing. */
function shortHash(text: string): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash.toString(16).padStart(8, '0');
}
