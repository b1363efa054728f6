/** Our node does not answer at all: nothing else is asked of it or told to it for now. */
export class SilentNodeError extends Error {
  override readonly name = 'SilentNodeError'
}
