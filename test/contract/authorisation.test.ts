import { randomBytes } from 'node:crypto'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mintToken } from '../../src/admin/operator-token.ts'
import { ROUTES } from '../../src/admin/route-registry.ts'
import type { Scope } from '../../src/admin/scopes.ts'
import { ALL_SCOPES, type Harness, startHarness } from './harness.ts'
import { SAMPLE_CALLS } from './sample-calls.ts'

const GENEROUS = { limit: 100_000, windowMs: 60_000 }
const guarded = ROUTES.filter((route) => route.scope !== 'public')

let node: Harness

beforeAll(async () => {
  const rateLimits = { authentication: GENEROUS, payment: GENEROUS, diagnostic: GENEROUS, write: GENEROUS }
  node = await startHarness({ rateLimits })
  await node.call('POST', '/api/admin/payments', SAMPLE_CALLS['POST /api/admin/payments'] ?? {})
  node.services.calls.length = 0
})

afterAll(async () => {
  await node.stop()
})

interface Verdict {
  status: number
  code: string | undefined
  challenge: string | null
}

async function knock(name: string, authorization: string | undefined): Promise<Verdict> {
  const sample = SAMPLE_CALLS[name]!
  const headers: Record<string, string> = { 'Content-Type': 'application/json' }
  if (authorization !== undefined) headers.Authorization = authorization
  const body = sample.body === undefined ? {} : { body: JSON.stringify(sample.body) }
  const reply = await fetch(`${node.url}${sample.path}`, {
    method: name.split(' ')[0] as string,
    headers,
    ...body,
  })
  const { error } = (await reply.json()) as { error?: { code?: string } }
  return { status: reply.status, code: error?.code, challenge: reply.headers.get('www-authenticate') }
}

/** A token made by hand, to be wrong in one way. */
async function forge(changes: {
  key?: Uint8Array
  issuer?: string
  iatSeconds?: number
  expSeconds?: number | undefined
  alg?: string
  without?: 'sub' | 'jti' | 'iat' | 'scope'
}): Promise<string> {
  const nowSeconds = Math.floor(node.clock.now() / 1000)
  const { without } = changes
  const jwt = new SignJWT(without === 'scope' ? {} : { scope: ALL_SCOPES.join(' ') })
    .setProtectedHeader({ alg: changes.alg ?? 'HS256' })
    .setIssuer(changes.issuer ?? 'causeway')
  if (without !== 'sub') jwt.setSubject('operator')
  if (without !== 'jti') jwt.setJti('1')
  if (without !== 'iat') jwt.setIssuedAt(changes.iatSeconds ?? nowSeconds)
  if (!('expSeconds' in changes)) jwt.setExpirationTime(nowSeconds + 60)
  else if (changes.expSeconds !== undefined) jwt.setExpirationTime(changes.expSeconds)
  return `Bearer ${await jwt.sign(changes.key ?? node.key)}`
}

function unsigned(): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { iss: 'causeway', sub: 'x', jti: '1', iat: 1, exp: 9e9, scope: ALL_SCOPES.join(' ') }
  return `Bearer ${part({ alg: 'none' })}.${part(claims)}.`
}

it('has a sample request for every operation', () => {
  expect(guarded.map((route) => `${route.method} ${route.path}`).sort()).toEqual(
    Object.keys(SAMPLE_CALLS).sort(),
  )
})

it('guards everything below /api and nothing else', () => {
  for (const route of ROUTES) expect(route.path.startsWith('/api/')).toBe(route.scope !== 'public')
})

describe.each(
  guarded.map((route) => ({ name: `${route.method} ${route.path}`, scope: route.scope as Scope })),
)('$name', ({ name, scope }) => {
  it('refuses requests without a token', async () => {
    const verdict = await knock(name, undefined)
    expect(verdict).toEqual({
      status: 401,
      code: 'AUTHENTICATION_REQUIRED',
      challenge: 'Bearer realm="causeway"',
    })
  })

  it('refuses every wrong token the same way', async () => {
    const nowSeconds = Math.floor(node.clock.now() / 1000)
    const valid = await node.token()
    const wrong = {
      garbage: 'Bearer garbage',
      'no bearer': `Basic ${valid}`,
      'bare token': valid,
      'empty token': 'Bearer ',
      'wrong key': await forge({ key: randomBytes(32) }),
      unsigned: unsigned(),
      'other algorithm': await forge({ alg: 'HS512', key: Buffer.concat([node.key, node.key]) }),
      expired: await forge({ expSeconds: nowSeconds - 1 }),
      'expires now': await forge({ expSeconds: nowSeconds }),
      'never expires': await forge({ expSeconds: undefined }),
      'lives too long': await forge({ expSeconds: nowSeconds + 400 * 24 * 3_600 }),
      'from the future': await forge({ iatSeconds: nowSeconds + 3_000, expSeconds: nowSeconds + 3_600 }),
      'other issuer': await forge({ issuer: 'someone' }),
      'no subject': await forge({ without: 'sub' }),
      'no id': await forge({ without: 'jti' }),
      'no issue time': await forge({ without: 'iat' }),
      'no scope': await forge({ without: 'scope' }),
      'cut signature': `Bearer ${valid.slice(0, -2)}`,
      'too long': `Bearer ${valid}${'A'.repeat(5_000)}`,
    }
    for (const [what, authorization] of Object.entries(wrong)) {
      expect(await knock(name, authorization), what).toEqual({
        status: 401,
        code: 'AUTHENTICATION_FAILED',
        challenge: 'Bearer realm="causeway", error="invalid_token"',
      })
    }
  })

  it('refuses a token with every scope but its own', async () => {
    const others = ALL_SCOPES.filter((other) => other !== scope)
    expect(await knock(name, `Bearer ${await node.token(others)}`)).toEqual({
      status: 403,
      code: 'PERMISSION_DENIED',
      challenge: `Bearer realm="causeway", error="insufficient_scope", scope="${scope}"`,
    })
  })

  it('changed nothing by what was refused', () => {
    expect(node.services.calls).toEqual([])
  })
})

describe('with its own scope alone', () => {
  // Last: these calls change the fake node.
  const inOrder = guarded.filter((route) => route.method !== 'DELETE')
  const removing = guarded.filter((route) => route.method === 'DELETE')
  it.each([...inOrder, ...removing].map((route) => ({ name: `${route.method} ${route.path}`, route })))(
    '$name is allowed',
    async ({ name, route }) => {
      const { status } = await knock(name, `Bearer ${await node.token([route.scope as Scope])}`)
      expect(status).toBe(route.kind === 'api' ? route.status : 200)
    },
  )
})

describe('keys', () => {
  it('accepts tokens of an older key until it is taken away', async () => {
    const older = randomBytes(32)
    const token = await mintToken({
      keys: [older],
      subject: 'ops',
      scopes: ['admin:read'],
      ttlSeconds: 60,
      clock: node.clock,
    })
    const knockOnce = async () => (await knock('GET /api/admin/node', `Bearer ${token}`)).status
    expect(await knockOnce()).toBe(401)
    node.server.setKeys([node.key, older])
    expect(await knockOnce()).toBe(200)
    node.server.setKeys([node.key])
    expect(await knockOnce()).toBe(401)
  })

  it('refuses keys that are missing or too short', () => {
    expect(() => node.server.setKeys([])).toThrow(/1 to 8 keys/)
    expect(() => node.server.setKeys([randomBytes(31)])).toThrow(/at least 32 bytes/)
  })
})
