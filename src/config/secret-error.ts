/** A secret cannot be had. The message says why and what to do, and never holds the secret. */
export class SecretError extends Error {
  override readonly name = 'SecretError'
}
