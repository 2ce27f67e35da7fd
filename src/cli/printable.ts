/**
 * Text from outside (machine names, annotations, file names) as it may be shown: control and formatting characters, with which a terminal could be driven, become
 * visible; line breaks become spaces.
 */
export function printable(text: string): string {
  return text
    .replaceAll(/\s+/gu, ' ')
    .replaceAll(
      /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu,
      (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
    );
}
