/** Longer text from outside is cut: a name of a megabyte would push everything else off the screen. */
const MAX_CHARACTERS = 4000;

/**
 * Text from outside (machine names, annotations, file names) as it may be shown: control and formatting characters, with which a terminal could be driven or a
 * line be made to read backwards, become visible; line breaks become spaces.
 */
export function printable(text: string): string {
  const cut = text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)}...` : text;
  return cut
    .replaceAll(/\s+/gu, ' ')
    .replaceAll(
      /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu,
      (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
    );
}
