import { Document, visit } from 'yaml';

/** Whatever is not plain text and a line feed: YAML 1.1 takes some of these as line breaks and refuses others, and marks that turn the direction of text hide what stands there. */
const UNSAFE =
  /[^\n\x20-\x7e\u00a1-\u200a\u2010-\u2027\u202f-\u205f\u2070-\ud7ff\ue000-\ufefe\uff00-\ufffd\u{10000}-\u{10ffff}]/u;

/** An octal number to YAML 1.2 and to Go; all other numbers are known to YAML 1.1 as well. */
const NEW_OCTAL = /^[-+]?0o/;

/**
 * One object as YAML that kubectl reads back as it was. Its parser is one of YAML 1.1, where `yes` is a boolean and U+2028 ends a line; so words that mean
 * something there are quoted, and what is not plain text is escaped.
 */
export function toKubernetesYaml(object: object): string {
  const document = new Document(object, { version: '1.1' });
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value !== 'string') return;
      if (UNSAFE.test(node.value) || NEW_OCTAL.test(node.value)) node.type = 'QUOTE_DOUBLE';
    },
  });
  // What the library leaves as it is inside double quotes; such a character stands nowhere else.
  return document
    .toString({ lineWidth: 0, doubleQuotedAsJSON: true })
    .replace(new RegExp(UNSAFE, 'gu'), (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
