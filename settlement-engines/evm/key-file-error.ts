/** A key cannot be had from its file. The message never quotes the file's content. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError'
}
