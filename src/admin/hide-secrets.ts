import { isSecretName, REDACTED } from '../observability/redact.ts'

/** References to secrets tell where a secret is, not what it is: operators need them. */
const REFERENCE = /^(secret:|env:|file:)|^\[redacted\]$/

/**
 * A copy of settings in which texts at or below secret-looking names are hidden, unless they are references. Whoever
 * hands out settings hides secrets already; this is the second lock on that door.
 */
export function hideSecrets(value: unknown, secret = false): unknown {
  if (Array.isArray(value)) return value.map((member) => hideSecrets(member, secret))
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([key, member]) => [
      key,
      hideSecrets(member, secret || isSecretName(key)),
    ])
    return Object.fromEntries(entries)
  }
  return typeof value === 'string' && secret && !REFERENCE.test(value) ? REDACTED : value
}
