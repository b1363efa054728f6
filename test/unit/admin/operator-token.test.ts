import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import {
  mintToken,
  TOKEN_LENGTH_MAX,
  TOKEN_TTL_SECONDS_MAX,
  verifyToken,
} from '../../../src/admin/operator-token.ts'
import { SCOPES, type Scope } from '../../../src/admin/scopes.ts'

const clock = { nowMs: Date.parse('2026-01-01T00:00:00.700Z'), now: () => clock.nowMs }
const key = randomBytes(32)
const valid = {
  keys: [key],
  subject: 'ops@example',
  scopes: ['admin:read'] as Scope[],
  ttlSeconds: 60,
  clock,
}

it('says who and what for, and ends when it should', async () => {
  const token = await mintToken({ ...valid, scopes: ['admin:read', 'admin:write', 'admin:read'] })
  const caller = await verifyToken(token, [randomBytes(32), key], clock)
  expect(caller).toMatchObject({ subject: 'ops@example', scopes: new Set(['admin:read', 'admin:write']) })
  expect(await verifyToken(token, [key], { now: () => clock.nowMs + 59_000 })).toBeDefined()
  expect(await verifyToken(token, [key], { now: () => clock.nowMs + 60_000 })).toBeUndefined()
})

it('has an id of its own each time', async () => {
  const [first, second] = await Promise.all([mintToken(valid), mintToken(valid)])
  expect((await verifyToken(first, [key], clock))?.tokenId).not.toBe(
    (await verifyToken(second, [key], clock))?.tokenId,
  )
})

it('stays far below the longest token that is looked at, with every scope', async () => {
  const token = await mintToken({ ...valid, subject: 'x'.repeat(64), scopes: Object.keys(SCOPES) as Scope[] })
  expect(token.length).toBeLessThan(TOKEN_LENGTH_MAX / 4)
})

it('is not minted with keys, subjects, scopes or lives that make no sense', async () => {
  const wrong = [
    { keys: [] },
    { keys: [randomBytes(31)] },
    { keys: Array.from({ length: 9 }, () => key) },
    { subject: '' },
    { subject: 'two words' },
    { subject: 'line\nbreak' },
    { subject: 'x'.repeat(65) },
    { scopes: [] },
    { ttlSeconds: 0 },
    { ttlSeconds: -1 },
    { ttlSeconds: 1.5 },
    { ttlSeconds: Number.NaN },
    { ttlSeconds: TOKEN_TTL_SECONDS_MAX + 1 },
  ]
  for (const change of wrong) {
    await expect(mintToken({ ...valid, ...change }), JSON.stringify(change)).rejects.toThrow()
  }
})

it('is refused when any character of it is changed', async () => {
  const token = await mintToken(valid)
  for (let index = 0; index < token.length - 1; index++) {
    const other = token[index] === 'A' ? 'B' : 'A'
    const changed = `${token.slice(0, index)}${other}${token.slice(index + 1)}`
    expect(await verifyToken(changed, [key], clock), `character ${index}`).toBeUndefined()
  }
})
