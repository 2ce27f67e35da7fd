import { changed, dropped, type FidelityRow, kept } from '../fidelity.ts';
import type { Machine, Setting } from '../machine.ts';

/** What Harvester and Rancher show as the machine's description. */
const DESCRIPTION = 'field.cattle.io/description';
const PREFIX = 'migration.harvesterhci.io/source';

/**
 * Kubernetes refuses objects with more than 256 KiB of annotations, and `kubectl apply` puts the whole object into one more. So all of ours together may take
 * this much as that copy spells them.
 */
const BUDGET_BYTES = 100_000;
const MAX_DESCRIPTION_BYTES = 8 * 1024;
const MAX_VALUE_BYTES = 1024;
/** What appliances ask for at deployment, and cloud-init's data. Annotations are read by everybody who may see the machine. */
const SECRET_NAME = /passw|passphrase|\bpass\b|secret|token|credential|private.?key|api.?key|(?:user|vendor).?data/i;
const SECRET_VALUE = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;

/** What the source says about the machine besides its hardware, kept as annotations as far as they hold it. */
export function mapAnnotations(
  machine: Machine,
  targetName: string,
): { annotations: Record<string, string>; rows: FidelityRow[] } {
  const annotations: Record<string, string> = {};
  const rows: FidelityRow[] = [];
  let left = BUDGET_BYTES;

  const keep = (property: string, key: string, text: string, maxBytes = MAX_VALUE_BYTES) => {
    const value = cutToBytes(text.toWellFormed(), maxBytes);
    left -= spelledBytes(key) + spelledBytes(value);
    annotations[key] = value;
    const target = `annotation ${key}`;
    rows.push(
      value === text ? kept(property, text, target) : changed(property, text, target, `cut to ${maxBytes} bytes`),
    );
  };

  keep('id', `${PREFIX}-id`, machine.id);
  if (machine.name === targetName) rows.push(kept('name', machine.name));
  else keep('name', `${PREFIX}-name`, machine.name);
  if (machine.annotation !== undefined) keep('annotation', DESCRIPTION, machine.annotation, MAX_DESCRIPTION_BYTES);
  if (machine.guestOs !== undefined) {
    const { id, description } = machine.guestOs;
    keep('guestOs', `${PREFIX}-guest-os`, description ? `${id} (${description})` : id);
  }

  const key = `${PREFIX}-settings`;
  const entries: string[] = [];
  left -= spelledBytes(key) + 2;
  for (const setting of machine.settings) {
    const { entry, row } = mapSetting(setting, key, left);
    rows.push(row);
    if (entry === undefined) continue;
    entries.push(entry);
    left -= spelledBytes(entry) + 1;
  }
  if (entries.length > 0) annotations[key] = `[${entries.join(',')}]`;
  return { annotations, rows };
}

function mapSetting(setting: Setting, key: string, left: number): { entry?: string; row: FidelityRow } {
  const property = `setting[${setting.kind} ${setting.name}]`;
  if (SECRET_NAME.test(setting.name) || SECRET_VALUE.test(setting.value)) {
    const reason = 'it may be a secret, and annotations are read by everybody who may see the machine';
    return { row: dropped(property, setting.value === '' ? '' : '(hidden)', reason) };
  }
  const value = cutToBytes(setting.value.toWellFormed(), MAX_VALUE_BYTES);
  const entry = JSON.stringify({ kind: setting.kind, name: setting.name, value });
  if (spelledBytes(entry) + 1 > left) {
    return { row: dropped(property, setting.value, 'Kubernetes bounds the size of annotations') };
  }
  const target = `annotation ${key}`;
  const row =
    value === setting.value
      ? kept(property, setting.value, target)
      : changed(property, setting.value, target, `cut to ${MAX_VALUE_BYTES} bytes`);
  return { entry, row };
}

/** The longest start of the text that takes no more than `maxBytes` in UTF-8. */
function cutToBytes(text: string, maxBytes: number): string {
  return text.slice(0, new TextEncoder().encodeInto(text, new Uint8Array(maxBytes)).read);
}

/** Bytes of the text inside a JSON string as Go writes it, which also escapes `<`, `>` and `&`. */
function spelledBytes(text: string): number {
  const spelled = JSON.stringify(text).replace(/[<>&\u2028\u2029]/g, '\\u0000');
  return new TextEncoder().encode(spelled).length;
}
