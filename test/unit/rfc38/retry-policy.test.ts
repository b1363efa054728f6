import { describe, expect, it } from 'vitest'
import { RETRY_POLICY, retryDelayMs } from '../../../src/settlement/rfc38/retry-policy.ts'
import { creditIdOf, deriveKey, isIdempotencyKey } from '../../../src/settlement/rfc38/rfc38-key.ts'

describe('pauses between retries', () => {
  it('double from one second to one hour, and never pass it', () => {
    const pauses = [1, 2, 3, 12, 13, 1_000, Number.MAX_SAFE_INTEGER].map((n) =>
      retryDelayMs(RETRY_POLICY, n, 0),
    )
    expect(pauses).toEqual([1_000, 2_000, 4_000, 2_048_000, 3_600_000, 3_600_000, 3_600_000])
  })

  it('lose up to a half by chance', () => {
    expect(retryDelayMs(RETRY_POLICY, 1, 0.5)).toBe(750)
    expect(retryDelayMs(RETRY_POLICY, 1, 1 - Number.EPSILON)).toBe(501)
  })
})

describe('keys', () => {
  it('are the same for the same order, and differ for any other', () => {
    const key = deriveKey('rfc38', 'engine', 'alice', 'order-1')
    expect(key).toMatch(/^[0-9a-f]{32}$/)
    expect(deriveKey('rfc38', 'engine', 'alice', 'order-1')).toBe(key)
    const others = [
      deriveKey('rfc38', 'engine', 'alice', 'order-2'),
      deriveKey('rfc38', 'engine', 'aliceorder-', '1'),
      deriveKey('rfc38', 'engine2', 'alice', 'order-1'),
    ]
    expect(new Set([key, ...others]).size).toBe(4)
  })

  it.each(['', 'a b', 'a,b', 'a\n', 'é', 'x'.repeat(256), undefined, ['a']])('are not %j', (value) => {
    expect(isIdempotencyKey(value)).toBe(false)
  })

  it('make different credit ids of different keys, whatever is in them', () => {
    const keys = ['a', 'A', 'a:', 'sha256-a', `sha256-${'0'.repeat(64)}`, 'x'.repeat(80), 'x'.repeat(81)]
    const ids = keys.map((key) => creditIdOf('an-engine-of-the-longest-name-0', key))
    expect(new Set(ids).size).toBe(keys.length)
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_.:-]{1,128}$/)
    expect(ids[0]).toBe('rfc38:an-engine-of-the-longest-name-0:a')
  })
})
