import { createHash, generateKeyPairSync } from 'node:crypto'
import { SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { IncomingCredentials, tokenDigest } from '../../../plugins/ilp-http/incoming-credentials.ts'
import type { IncomingOptions } from '../../../plugins/ilp-http/options.ts'
import { LinkConfigError } from '../../../src/peers/link.ts'

const NOW_MS = 1_800_000_000_000
const NOW = NOW_MS / 1_000
const KEY = 'a shared secret of more than 32 bytes in length'
const pem = { type: 'spki', format: 'pem' } as const
const pkcs8 = { type: 'pkcs8', format: 'pem' } as const
const ed25519 = generateKeyPairSync('ed25519', { publicKeyEncoding: pem, privateKeyEncoding: pkcs8 })
const rsa = generateKeyPairSync('rsa', {
  modulusLength: 2_048,
  publicKeyEncoding: pem,
  privateKeyEncoding: pkcs8,
})

function make(options: IncomingOptions) {
  const clock = { nowMs: NOW_MS, now: () => clock.nowMs }
  const credentials = new IncomingCredentials(options, 'alice', false, clock)
  const accepts = async (token: string) => credentials.accepts(token, tokenDigest(token))
  return { clock, credentials, accepts }
}

const hs256 = (more: object = {}) => make({ scheme: 'jwt', algorithm: 'HS256', key: KEY, ...more })

async function sign(claims: Record<string, unknown>, key = KEY, alg = 'HS256'): Promise<string> {
  const { createPrivateKey } = await import('node:crypto')
  const signingKey = alg === 'HS256' ? Buffer.from(key) : createPrivateKey(key)
  return new SignJWT({ exp: NOW + 60, ...claims }).setProtectedHeader({ alg }).sign(signingKey)
}

const forge = (header: object, payload: object, signature = '') =>
  [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.') +
  `.${signature}`

describe('bearer credentials', () => {
  it('accept the token itself and nothing else', async () => {
    const { accepts } = make({ scheme: 'bearer', token: 'the right token, long enough' })
    expect(await accepts('the right token, long enough')).toBe(true)
    expect(await accepts('the right token, long enougH')).toBe(false)
    expect(await accepts('')).toBe(false)
  })

  it('can be given as a hash', async () => {
    const tokenSha256 = createHash('sha256').update('short').digest('hex').toUpperCase()
    const { accepts } = make({ scheme: 'bearer', tokenSha256 })
    expect(await accepts('short')).toBe(true)
    expect(await accepts(tokenSha256)).toBe(false)
  })

  it('refuse a token that can be guessed, without repeating it', () => {
    expect(() => make({ scheme: 'bearer', token: 'fifteen letters' })).toThrow(LinkConfigError)
    expect(() => make({ scheme: 'bearer', token: 'fifteen letters' })).not.toThrow(/fifteen letters/)
  })

  it('do not keep the token', () => {
    const { credentials } = make({ scheme: 'bearer', token: 'the right token, long enough' })
    expect(JSON.stringify(credentials)).not.toContain('the right token')
    expect(Object.values(credentials)).not.toContain('the right token, long enough')
  })
})

describe('JWT credentials', () => {
  it('accept a token of their key until it expires, give or take five seconds at first sight', async () => {
    const { accepts, clock } = hs256()
    const token = await sign({ exp: NOW + 30 })
    expect(await accepts(token)).toBe(true)
    clock.nowMs += 29_999
    expect(await accepts(token)).toBe(true)
    clock.nowMs += 10_000
    expect(await accepts(token)).toBe(false)
  })

  it('refuse a token without expiry', async () => {
    expect(await hs256().accepts(await sign({ exp: undefined }))).toBe(false)
  })

  it('refuse alg none and any algorithm but the configured one', async () => {
    const { accepts } = hs256()
    expect(await accepts(forge({ alg: 'none' }, { exp: NOW + 60 }))).toBe(false)
    expect(await accepts(forge({ alg: 'NONE' }, { exp: NOW + 60 }, 'AAAA'))).toBe(false)
    expect(await accepts(await sign({}, ed25519.privateKey, 'EdDSA'))).toBe(false)
    const asymmetric = make({ scheme: 'jwt', algorithm: 'RS256', key: rsa.publicKey })
    expect(await asymmetric.accepts(await sign({}, rsa.publicKey, 'HS256'))).toBe(false)
  })

  it('accept RS256 and EdDSA with public keys', async () => {
    const withRsa = make({ scheme: 'jwt', algorithm: 'RS256', key: rsa.publicKey })
    expect(await withRsa.accepts(await sign({}, rsa.privateKey, 'RS256'))).toBe(true)
    const withEdDsa = make({ scheme: 'jwt', algorithm: 'EdDSA', key: ed25519.publicKey })
    expect(await withEdDsa.accepts(await sign({}, ed25519.privateKey, 'EdDSA'))).toBe(true)
    const other = generateKeyPairSync('ed25519', { publicKeyEncoding: pem, privateKeyEncoding: pkcs8 })
    expect(await withEdDsa.accepts(await sign({}, other.privateKey, 'EdDSA'))).toBe(false)
  })

  it('take the newest and the older keys while they rotate, and no key that is gone', async () => {
    const [newer, older, gone] = ['newer', 'older', 'gone'].map((name) => `${name} key of sufficient length`)
    const { accepts } = make({ scheme: 'jwt', algorithm: 'HS256', keys: [newer!, older!] })
    expect(await accepts(await sign({}, newer))).toBe(true)
    expect(await accepts(await sign({}, older))).toBe(true)
    expect(await accepts(await sign({}, gone))).toBe(false)
  })

  it('hold sub against the account, and demand it when it is configured', async () => {
    expect(await hs256().accepts(await sign({ sub: 'alice' }))).toBe(true)
    expect(await hs256().accepts(await sign({ sub: 'bob' }))).toBe(false)
    const { accepts } = hs256({ subject: 'urn:alice' })
    expect(await accepts(await sign({ sub: 'urn:alice' }))).toBe(true)
    expect(await accepts(await sign({ sub: 'alice' }))).toBe(false)
    expect(await accepts(await sign({}))).toBe(false)
  })

  it('check issuer, audience and age when configured', async () => {
    const { accepts } = hs256({ issuer: 'them', audience: 'us', maxAgeSeconds: 10 })
    const good = { iss: 'them', aud: 'us', iat: NOW - 5 }
    expect(await accepts(await sign(good))).toBe(true)
    expect(await accepts(await sign({ ...good, iss: 'others' }))).toBe(false)
    expect(await accepts(await sign({ ...good, aud: 'others' }))).toBe(false)
    expect(await accepts(await sign({ ...good, iat: NOW - 30 }))).toBe(false)
    expect(await accepts(await sign({ ...good, iat: undefined }))).toBe(false)
  })

  it('forget a verified token when its age limit is reached, though it has not expired', async () => {
    const { accepts, clock } = hs256({ maxAgeSeconds: 10 })
    const token = await sign({ iat: NOW, exp: NOW + 1_000 })
    expect(await accepts(token)).toBe(true)
    clock.nowMs += 20_000
    expect(await accepts(token)).toBe(false)
  })

  it('verify a token once for all who ask at the same time, and answer at once afterwards', async () => {
    const { credentials } = hs256()
    const token = await sign({})
    const digest = tokenDigest(token)
    const [first, second] = [credentials.accepts(token, digest), credentials.accepts(token, digest)]
    expect(first).toBe(second)
    expect(await first).toBe(true)
    expect(credentials.accepts(token, digest)).toBe(true)
  })

  it('bound how many different tokens are checked at once', async () => {
    const { credentials } = hs256()
    const tokens = await Promise.all(Array.from({ length: 65 }, (_, jti) => sign({ jti: String(jti) })))
    const checks = tokens.slice(0, 64).map(async (token) => credentials.accepts(token, tokenDigest(token)))
    expect(() => credentials.accepts(tokens[64]!, tokenDigest(tokens[64]!))).toThrow()
    expect(await Promise.all(checks)).not.toContain(false)
  })

  it('refuse keys of the wrong kind, and private keys', () => {
    const wrong = (algorithm: 'RS256' | 'EdDSA', key: string) => () => make({ scheme: 'jwt', algorithm, key })
    expect(wrong('RS256', ed25519.publicKey)).toThrow(/needs rsa/)
    expect(wrong('EdDSA', rsa.publicKey)).toThrow(/needs ed25519/)
    expect(wrong('EdDSA', ed25519.privateKey)).toThrow(/private key/)
    expect(wrong('EdDSA', 'nothing')).toThrow(/PEM/)
  })
})
