/**
 * Keeps secrets out of logs and replies: by the name of the field, and inside texts by the shapes that secrets have.
 * A net below the rule that secrets are not handed to the logger at all, never a substitute for it.
 */

export const REDACTED = '[redacted]'

/** Deeper data is cut: log lines are for people, and recursion must end. */
const DEPTH_MAX = 6
/** Entries of one object, array, map or set that are kept. */
const ENTRIES_MAX = 100
/** Characters of one text that are kept. */
const TEXT_LENGTH_MAX = 4_000

const SECRET_NAME =
  /token|secret|password|passwd|passphrase|authorization|cookie|preimage|fulfillment|macaroon|mnemonic|seed|credential|jwt|bearer|xprv|signature/
const KEY_NAME = /keys?$/
/** Names that end in "key" and hold nothing secret. */
const OPEN_KEY_NAME = /(public|pub|idempotency|node)keys?$/
/** Where a secret is kept is no secret. */
const PLACE_NAME = /(file|path|directory)$/

/** Whether a field of this name is taken to hold a secret. */
export function isSecretName(name: string): boolean {
  const plain = name.toLowerCase().replace(/[^a-z0-9]/g, '')
  if (PLACE_NAME.test(plain)) return false
  if (SECRET_NAME.test(plain)) return true
  return KEY_NAME.test(plain) && !OPEN_KEY_NAME.test(plain)
}

interface SecretShape {
  /** Text without it cannot match: most lines are through after these cheap looks. */
  hint: RegExp
  shape: RegExp
  replacement: string
}

const SECRET_SHAPES: readonly SecretShape[] = [
  {
    hint: /-----BEGIN/,
    shape: /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]{0,40}PRIVATE KEY-----|$)/g,
    replacement: REDACTED,
  },
  {
    hint: /eyJ/,
    shape: /\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*/g,
    replacement: REDACTED,
  },
  {
    hint: /bearer|basic/i,
    shape: /\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}/gi,
    replacement: `$1 ${REDACTED}`,
  },
  {
    hint: /:\/\/[^/]*@/,
    shape: /(:\/\/)[^\s/@]{1,700}@/g,
    replacement: `$1${REDACTED}@`,
  },
  {
    hint: /[:=]/,
    shape:
      /((?:token|\wsecret|\bsecret(?!:\S)|password|passphrase|preimage|macaroon|mnemonic|authorization|api[-_]?key|private[-_]?key)["']?\s{0,4}[:=]\s{0,4}["']?)(?!(?:bearer|basic|secret:|env:|file:|\[redacted\]))[^\s"'&,;)}\]]+/gi,
    replacement: `$1${REDACTED}`,
  },
]

/** Takes out what looks like a secret, and cuts the text at {@link TEXT_LENGTH_MAX} characters. */
export function redactText(text: string): string {
  let result = text.length > TEXT_LENGTH_MAX ? `${text.slice(0, TEXT_LENGTH_MAX)}… (cut)` : text
  for (const { hint, shape, replacement } of SECRET_SHAPES) {
    if (hint.test(result)) result = result.replace(shape, replacement)
  }
  return result
}

/** A plain, bounded, JSON-ready copy without secrets. Never throws; bigint becomes a decimal string. */
export function redact(value: unknown, depth = 0): unknown {
  switch (typeof value) {
    case 'string':
      return redactText(value)
    case 'bigint':
      return value.toString()
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'boolean':
    case 'undefined':
      return value
    case 'function':
    case 'symbol':
      return `[${typeof value}]`
    case 'object':
      try {
        return value === null ? null : redactObject(value, depth)
      } catch {
        return '[unreadable]'
      }
  }
}

function redactObject(value: object, depth: number): unknown {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`
  if (value instanceof URL) return redactText(value.href)
  if (depth >= DEPTH_MAX) return '[deeper]'
  if (value instanceof Error) return redactError(value, depth)
  if (Array.isArray(value)) return redactList(value, value.length, depth)
  if (value instanceof Set) return redactList(value, value.size, depth)
  if (value instanceof Map) return redactEntries(value, value.size, depth)
  const keys = Object.keys(value)
  return redactEntries(pairs(value as Record<string, unknown>, keys), keys.length, depth)
}

function* pairs(value: Record<string, unknown>, keys: string[]): Generator<[string, unknown]> {
  for (const key of keys) yield [key, read(value, key)]
}

/** A getter may throw: the other fields are still worth a line. */
function read(value: Record<string, unknown>, key: string): unknown {
  try {
    return value[key]
  } catch {
    return '[unreadable]'
  }
}

function redactError(error: Error, depth: number): Record<string, unknown> {
  const result: Record<string, unknown> = { name: error.name, message: redactText(String(error.message)) }
  const code: unknown = (error as { code?: unknown }).code
  if (typeof code === 'string' || typeof code === 'number') result.code = code
  if (typeof error.stack === 'string') result.stack = redactText(error.stack)
  if (error.cause !== undefined) result.cause = redact(error.cause, depth + 1)
  return result
}

function redactList(values: Iterable<unknown>, size: number, depth: number): unknown[] {
  const result: unknown[] = []
  for (const value of values) {
    if (result.length === ENTRIES_MAX) {
      result.push(`… ${size - ENTRIES_MAX} more`)
      break
    }
    result.push(redact(value, depth + 1))
  }
  return result
}

function redactEntries(
  entries: Iterable<[unknown, unknown]>,
  size: number,
  depth: number,
): Record<string, unknown> {
  const result: Record<string, unknown> = Object.create(null)
  let count = 0
  for (const [key, value] of entries) {
    if (count++ === ENTRIES_MAX) {
      result['…'] = `${size - ENTRIES_MAX} more`
      break
    }
    const name = String(key)
    const hidden = isSecretName(name) && value !== undefined && value !== null
    result[name] = hidden ? REDACTED : redact(value, depth + 1)
  }
  return result
}
