import { createHash } from 'node:crypto'

/** Visible ASCII without comma: two headers of the name arrive joined by one. RFC 38 sets no length. */
const KEY = /^[\x21-\x2b\x2d-\x7e]{1,255}$/
/** What fits as it is into a credit id of at most 128 characters. */
const PLAIN_KEY = /^(?!sha256-)[A-Za-z0-9_.-]{1,80}$/

/** True for an Idempotency-Key header that is one key. */
export function isIdempotencyKey(value: unknown): value is string {
  return typeof value === 'string' && KEY.test(value)
}

/**
 * The key that stands for `parts` on every retry for ever: 32 hexadecimal digits, which every server takes, the ones
 * that refuse `:` included. Made of the id and not by chance, so that a node whose journal was lost repeats itself
 * instead of paying twice.
 */
export function deriveKey(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)
}

/** The credit id of what a foreign engine told under a key: `rfc38:<engine>:<key>`, or of its digest when it is long. */
export function creditIdOf(engine: string, key: string): string {
  if (PLAIN_KEY.test(key)) return `rfc38:${engine}:${key}`
  return `rfc38:${engine}:sha256-${createHash('sha256').update(key).digest('hex')}`
}
