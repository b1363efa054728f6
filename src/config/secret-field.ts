import type { ConfigPath } from './config-path.ts'

const SECRET_NAME = /(token|secret|password|passphrase|key|seed|mnemonic|macaroon|credential)s?$/i
/** Names that end like a secret and are none. */
const OPEN_NAME = /public[_-]?keys?$/i

/** Whether a field of this name is taken to hold a secret: `token`, `secret`, `password`, `key` and their like. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name) && !OPEN_NAME.test(name)
}

/** Whether a value at this path may be a secret: some key on the way has a name of a secret. */
export function isSecretPath(path: ConfigPath): boolean {
  return path.some((segment) => typeof segment === 'string' && isSecretName(segment))
}

/** What an EVM engine calls a token: its address, which is public and shorter than any key, or the chain's coin. */
const TOKEN_NAME = /^(native|0x[0-9a-fA-F]{40})$/

/** Whether a text is public, whatever the field that holds it is called. */
export function isPublicText(value: string): boolean {
  return TOKEN_NAME.test(value)
}

const REFERENCE = /^(secret:[A-Za-z0-9_.-]{1,64}|env:[A-Za-z_][A-Za-z0-9_]{0,127}|file:.{1,1024})$/

/** Whether a string is a reference to a secret (`secret:`, `env:`, `file:`). */
export function isSecretReference(value: string): boolean {
  return REFERENCE.test(value)
}

/** A URL that carries a user name or password, or a token as user info. */
const CREDENTIALS_IN_URL = /^([a-z][a-z0-9+.-]*:\/\/)([^/?#@\s]*)@/i

export function hasCredentials(url: string): boolean {
  return CREDENTIALS_IN_URL.test(url)
}

/** The URL with what stands before `@` replaced. */
export function withoutCredentials(url: string): string {
  return url.replace(CREDENTIALS_IN_URL, '$1[redacted]@')
}
