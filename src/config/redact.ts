import { isPublicText, isSecretName, isSecretReference, withoutCredentials } from './secret-field.ts'

const REDACTED = '[redacted]'

/**
 * A deep copy of configuration for people to see. References to secrets stay, since they hold no secret;
 * whatever else stands in a field with the name of a secret, or before the `@` of a URL, is
 * replaced, however it came there.
 */
export function redact<T>(value: T): T {
  return redactValue(value, false) as T
}

function redactValue(value: unknown, secret: boolean): unknown {
  if (typeof value === 'string') {
    if (isSecretReference(value) || isPublicText(value)) return value
    return secret ? REDACTED : withoutCredentials(value)
  }
  if (Array.isArray(value)) return value.map((entry) => redactValue(entry, secret))
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([key, entry]) => [
      key,
      redactValue(entry, secret || isSecretName(key)),
    ])
    return Object.fromEntries(entries)
  }
  return secret && value !== null && value !== undefined && typeof value !== 'boolean' ? REDACTED : value
}
