import { createPublicKey, createSecretKey, hash, type KeyObject, timingSafeEqual } from 'node:crypto'
import { type JWTVerifyOptions, jwtVerify } from 'jose'
import type { Clock } from '../../src/lib/clock.ts'
import { LinkConfigError } from '../../src/peers/link.ts'
import { type IncomingOptions, SECRET_LENGTH_MIN } from './options.ts'

/** How far the clock of a peer may be off, seconds. */
const CLOCK_TOLERANCE_SECONDS = 5
/** Verified tokens remembered per peer: a cluster of clients with a token each fits; the oldest goes first. */
const VERIFIED_TOKENS_MAX = 64
/** Different tokens of one peer checked at the same time. */
const CHECKS_AT_ONCE_MAX = 64

/** Thrown to a request that comes while too many tokens of the peer are being checked. */
export class TooManyChecksError extends Error {
  override readonly name = 'TooManyChecksError'
}

/** SHA-256 of a token, as text usable as a map key. */
export function tokenDigest(token: string): string {
  return hash('sha256', token, 'hex')
}

/**
 * How one peer proves itself to our listener. Bearer tokens are held as SHA-256 only and compared in constant time.
 * JWTs are verified once and then known by their digest until they expire.
 */
export class IncomingCredentials {
  readonly accountId: string
  readonly scheme: 'bearer' | 'jwt'
  /** Bearer only: hexadecimal SHA-256 of the token. */
  readonly digest: string | undefined
  /** JWT only: `sub` that names this peer. */
  readonly subject: string
  /** JWT only: value of ILP-Peer-Name that names this peer. */
  readonly peerName: string
  readonly #clock: Clock
  readonly #keys: KeyObject[]
  readonly #verifyOptions: JWTVerifyOptions
  readonly #subjectRequired: boolean
  readonly #maxAgeSeconds: number | undefined
  readonly #verifiedUntilMs = new Map<string, number>()
  readonly #checks = new Map<string, Promise<boolean>>()

  /** @throws LinkConfigError when a token is too short or a key cannot be read */
  constructor(options: IncomingOptions, accountId: string, allowShort: boolean, clock: Clock) {
    this.accountId = accountId
    this.scheme = options.scheme
    this.#clock = clock
    if (options.scheme === 'bearer') {
      if (options.token !== undefined) checkLength(options.token, 'incoming.token', allowShort)
      this.digest = options.tokenSha256?.toLowerCase() ?? tokenDigest(options.token!)
      this.subject = accountId
      this.peerName = accountId
      this.#keys = []
      this.#verifyOptions = {}
      this.#subjectRequired = false
      return
    }
    this.subject = options.subject ?? accountId
    this.peerName = options.peerName ?? accountId
    this.#subjectRequired = options.subject !== undefined
    this.#maxAgeSeconds = options.maxAgeSeconds
    this.#keys = (options.keys ?? [options.key!]).map((key, index) => {
      const path = options.keys === undefined ? 'incoming.key' : `incoming.keys.${index}`
      return verificationKey(options.algorithm, key, path, allowShort)
    })
    this.#verifyOptions = {
      algorithms: options.algorithm === 'EdDSA' ? ['EdDSA', 'Ed25519'] : [options.algorithm],
      requiredClaims: options.maxAgeSeconds === undefined ? ['exp'] : ['exp', 'iat'],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      ...(options.issuer === undefined ? {} : { issuer: options.issuer }),
      ...(options.audience === undefined ? {} : { audience: options.audience }),
      ...(options.maxAgeSeconds === undefined ? {} : { maxTokenAge: options.maxAgeSeconds }),
    }
  }

  /** Whether `token` is this peer's. A promise only for a JWT not seen before. */
  accepts(token: string, digest: string): boolean | Promise<boolean> {
    if (this.digest !== undefined)
      return timingSafeEqual(Buffer.from(digest, 'hex'), Buffer.from(this.digest, 'hex'))
    const untilMs = this.#verifiedUntilMs.get(digest)
    if (untilMs !== undefined) {
      if (this.#clock.now() < untilMs) return true
      this.#verifiedUntilMs.delete(digest)
    }
    const running = this.#checks.get(digest)
    if (running !== undefined) return running
    if (this.#checks.size >= CHECKS_AT_ONCE_MAX) throw new TooManyChecksError()
    const check = this.#verify(token, digest).finally(() => this.#checks.delete(digest))
    this.#checks.set(digest, check)
    return check
  }

  async #verify(token: string, digest: string): Promise<boolean> {
    const options = { ...this.#verifyOptions, currentDate: new Date(this.#clock.now()) }
    for (const key of this.#keys) {
      try {
        const { payload } = await jwtVerify(token, key, options)
        if (payload.sub === undefined ? this.#subjectRequired : payload.sub !== this.subject) return false
        const ageLimit = this.#maxAgeSeconds === undefined ? Infinity : payload.iat! + this.#maxAgeSeconds
        this.#remember(digest, Math.min(payload.exp!, ageLimit) * 1_000)
        return true
      } catch {
        // Not signed by this key, or its claims are refused: an older key may fit.
      }
    }
    return false
  }

  #remember(digest: string, untilMs: number): void {
    if (this.#verifiedUntilMs.size >= VERIFIED_TOKENS_MAX) {
      const oldest = this.#verifiedUntilMs.keys().next().value
      if (oldest !== undefined) this.#verifiedUntilMs.delete(oldest)
    }
    this.#verifiedUntilMs.set(digest, untilMs)
  }
}

/** @throws LinkConfigError when a secret is easier to guess than it should be */
export function checkLength(value: string, path: string, allowShort: boolean): void {
  if (value.length >= SECRET_LENGTH_MIN || allowShort) return
  throw new LinkConfigError(
    path,
    `has ${value.length} characters, fewer than ${SECRET_LENGTH_MIN}: use a longer random value, or set allowShortTokens in the plugin's section for a test network`,
  )
}

function verificationKey(algorithm: string, key: string, path: string, allowShort: boolean): KeyObject {
  if (algorithm === 'HS256') {
    checkLength(key, path, allowShort)
    return createSecretKey(Buffer.from(key, 'utf8'))
  }
  if (key.includes('PRIVATE KEY'))
    throw new LinkConfigError(path, 'is a private key: give the public key of the peer')
  let publicKey: KeyObject
  try {
    publicKey = createPublicKey(key)
  } catch {
    throw new LinkConfigError(path, 'is not a public key in PEM form (-----BEGIN PUBLIC KEY-----)')
  }
  const expected = algorithm === 'RS256' ? 'rsa' : 'ed25519'
  if (publicKey.asymmetricKeyType !== expected)
    throw new LinkConfigError(
      path,
      `is a key of type ${publicKey.asymmetricKeyType}; ${algorithm} needs ${expected}`,
    )
  return publicKey
}
