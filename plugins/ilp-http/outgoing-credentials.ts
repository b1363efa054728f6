import { createPrivateKey, createSecretKey, type KeyObject } from 'node:crypto'
import { SignJWT } from 'jose'
import type { Clock } from '../../src/lib/clock.ts'
import { LinkConfigError } from '../../src/peers/link.ts'
import { checkLength } from './incoming-credentials.ts'
import type { OutgoingOptions } from './options.ts'

/** A token is used until this long before it expires: the request must still arrive in time. Milliseconds. */
const EXPIRY_MARGIN_MS = 3_000
/** A new token is made when this share of the life of the old one is over. */
const RENEW_AFTER_SHARE = 0.8

type JwtOptions = Extract<OutgoingOptions, { scheme: 'jwt' }>

/** The Authorization header of our requests to one peer; JWTs are signed ahead of time and used until they are old. */
export class OutgoingCredentials {
  readonly #clock: Clock
  readonly #jwt: { options: JwtOptions; key: KeyObject } | undefined
  #header: string | undefined
  #renewAtMs = Infinity
  #usableUntilMs = Infinity
  #renewal: Promise<void> | undefined

  /** @throws LinkConfigError when the key is too short or cannot be read */
  constructor(options: OutgoingOptions, allowShort: boolean, clock: Clock) {
    this.#clock = clock
    if (options.scheme === 'bearer') {
      checkLength(options.token, 'outgoing.token', allowShort)
      this.#header = `Bearer ${options.token}`
      return
    }
    this.#jwt = { options, key: signingKey(options, allowShort) }
  }

  /**
   * The header to send now; undefined while there is no valid token: call `renew` and wait. Close to the end of a
   * token's life the next one is made in the background.
   */
  header(): string | undefined {
    if (this.#jwt === undefined) return this.#header
    const now = this.#clock.now()
    if (now >= this.#usableUntilMs) return undefined
    if (this.#header !== undefined && now >= this.#renewAtMs) this.renew().catch(() => undefined)
    return this.#header
  }

  /** Makes a new token; calls made meanwhile share it. */
  renew(): Promise<void> {
    if (this.#jwt === undefined) return Promise.resolve()
    this.#renewal ??= this.#sign(this.#jwt.options, this.#jwt.key).finally(() => {
      this.#renewal = undefined
    })
    return this.#renewal
  }

  /** The peer answered 401: whatever token is held is not used again. */
  discard(): void {
    if (this.#jwt !== undefined) this.#header = undefined
  }

  async #sign(options: JwtOptions, key: KeyObject): Promise<void> {
    const nowMs = this.#clock.now()
    const nowSeconds = Math.floor(nowMs / 1_000)
    const lifetimeMs = options.lifetimeSeconds * 1_000
    const token = new SignJWT()
      .setProtectedHeader({
        alg: options.algorithm,
        typ: 'JWT',
        ...(options.kid === undefined ? {} : { kid: options.kid }),
      })
      .setIssuedAt(nowSeconds)
      .setExpirationTime(nowSeconds + options.lifetimeSeconds)
    if (options.issuer !== undefined) token.setIssuer(options.issuer)
    if (options.audience !== undefined) token.setAudience(options.audience)
    if (options.subject !== undefined) token.setSubject(options.subject)
    this.#header = `Bearer ${await token.sign(key)}`
    this.#renewAtMs = nowMs + lifetimeMs * RENEW_AFTER_SHARE
    this.#usableUntilMs = nowSeconds * 1_000 + lifetimeMs - EXPIRY_MARGIN_MS
  }
}

function signingKey(options: JwtOptions, allowShort: boolean): KeyObject {
  if (options.algorithm === 'HS256') {
    checkLength(options.key, 'outgoing.key', allowShort)
    return createSecretKey(Buffer.from(options.key, 'utf8'))
  }
  let key: KeyObject
  try {
    key = createPrivateKey(options.key)
  } catch {
    throw new LinkConfigError(
      'outgoing.key',
      'is not a private key in PEM form (-----BEGIN PRIVATE KEY-----)',
    )
  }
  const expected = options.algorithm === 'RS256' ? 'rsa' : 'ed25519'
  if (key.asymmetricKeyType !== expected)
    throw new LinkConfigError(
      'outgoing.key',
      `is a key of type ${key.asymmetricKeyType}; ${options.algorithm} needs ${expected}`,
    )
  return key
}
