import assert from 'node:assert'
import { randomUUID } from 'node:crypto'
import { jwtVerify, SignJWT } from 'jose'
import type { Clock } from '../lib/clock.ts'
import { parseScopes, type Scope } from './scopes.ts'

/** Longest token that is looked at, in characters: a token with every scope has some 400. */
export const TOKEN_LENGTH_MAX = 4_096
/** Longest life of a token. Longer ones are neither minted nor accepted: without expiry there is no way back. */
export const TOKEN_TTL_SECONDS_MAX = 366 * 24 * 3_600
/** HS256 needs a key as long as its hash (RFC 7518 section 3.2). */
const KEY_BYTES_MIN = 32
/** Keys that are tried: the newest signs, the others are being phased out. */
const KEYS_MAX = 8
/** How far the clocks of the minting and the checking machine may be apart. */
const CLOCK_TOLERANCE_SECONDS = 30
const ISSUER = 'causeway'
const ALGORITHM = 'HS256'

/** Who sends a request, and what it may do. */
export interface Caller {
  subject: string
  scopes: ReadonlySet<Scope>
  /** `jti` of the token. */
  tokenId: string
}

export interface MintOptions {
  /** Newest first; the first one signs. At least 32 bytes each. */
  keys: readonly Uint8Array[]
  /** Whom the token is for; appears in the log of changes. 1 to 64 printable characters. */
  subject: string
  scopes: readonly Scope[]
  /** 1 to {@link TOKEN_TTL_SECONDS_MAX}. */
  ttlSeconds: number
  clock: Clock
}

/**
 * Makes an operator token: a JWT signed with HS256 (RFC 7519). Works offline; the node knows its keys only.
 * @throws RangeError when an option is out of its range
 */
export async function mintToken(options: MintOptions): Promise<string> {
  const { keys, subject, scopes, ttlSeconds, clock } = options
  checkKeys(keys)
  if (!/^[\x21-\x7e]{1,64}$/.test(subject)) {
    throw new RangeError('the subject of a token is 1 to 64 printable characters without spaces')
  }
  if (scopes.length === 0) throw new RangeError('a token needs at least one scope')
  if (!Number.isInteger(ttlSeconds) || ttlSeconds < 1 || ttlSeconds > TOKEN_TTL_SECONDS_MAX) {
    throw new RangeError(`a token lives 1 to ${TOKEN_TTL_SECONDS_MAX} seconds, not ${ttlSeconds}`)
  }
  const nowSeconds = Math.floor(clock.now() / 1000)
  return new SignJWT({ scope: [...new Set(scopes)].join(' ') })
    .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
    .setIssuer(ISSUER)
    .setSubject(subject)
    .setIssuedAt(nowSeconds)
    .setExpirationTime(nowSeconds + ttlSeconds)
    .setJti(randomUUID())
    .sign(keys[0] as Uint8Array)
}

/**
 * Checks a token against each key, newest first.
 * @returns undefined when it is not valid, for whatever reason: callers are not told which
 */
export async function verifyToken(
  token: string,
  keys: readonly Uint8Array[],
  clock: Clock,
): Promise<Caller | undefined> {
  if (token.length > TOKEN_LENGTH_MAX) return undefined
  for (const key of keys) {
    const caller = await verifyWith(token, key, clock)
    if (caller !== undefined) return caller
  }
  return undefined
}

async function verifyWith(token: string, key: Uint8Array, clock: Clock): Promise<Caller | undefined> {
  const nowMs = clock.now()
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: [ALGORITHM],
      issuer: ISSUER,
      requiredClaims: ['exp', 'iat', 'sub', 'jti', 'scope'],
      currentDate: new Date(nowMs),
    })
    const { sub, jti, iat, exp, scope } = payload
    if (typeof sub !== 'string' || typeof jti !== 'string' || typeof scope !== 'string') return undefined
    if (typeof iat !== 'number' || typeof exp !== 'number') return undefined
    if (iat > nowMs / 1000 + CLOCK_TOLERANCE_SECONDS || exp - iat > TOKEN_TTL_SECONDS_MAX) return undefined
    return { subject: sub.slice(0, 64), scopes: parseScopes(scope), tokenId: jti.slice(0, 64) }
  } catch {
    return undefined
  }
}

/** @throws RangeError when the keys cannot be used */
export function checkKeys(keys: readonly Uint8Array[]): void {
  assert(keys.length > 0 && keys.length <= KEYS_MAX, `operator tokens need 1 to ${KEYS_MAX} keys`)
  for (const key of keys) {
    if (key.length < KEY_BYTES_MIN) {
      throw new RangeError(
        `a key that signs operator tokens has at least ${KEY_BYTES_MIN} bytes, this one has ${key.length}`,
      )
    }
  }
}
