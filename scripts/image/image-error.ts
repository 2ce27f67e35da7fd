/** Something that whoever builds the image can change; the message says what. Anything else that is thrown is a bug and keeps its stack. */
export class ImageError extends Error {
  override readonly name = 'ImageError';
}
