import fc from 'fast-check'
import { deserializeIlpPrepare } from 'ilp-packet'
import { describe, expect, it } from 'vitest'
import { toAmount } from '../../../src/ilp/amount.ts'
import { encodePrepare } from '../../../src/ilp/encode-packet.ts'
import { createPrepareView, parsePrepare } from '../../../src/ilp/parse-packet.ts'
import { patchPrepare } from '../../../src/ilp/patch-prepare.ts'
import { TIMESTAMP_MAX_MS } from '../../../src/ilp/timestamp.ts'

const CONDITION = Buffer.alloc(32, 9)

function prepared(dataLength = 20) {
  const packet = encodePrepare({
    amount: 107,
    expiresAtMs: Date.UTC(2026, 0, 1),
    condition: CONDITION,
    destination: 'g.a.b',
    data: Buffer.alloc(dataLength, 3),
  })
  const buffer = Buffer.concat([Buffer.from('abc'), packet, Buffer.from('def')])
  const view = createPrepareView()
  expect(parsePrepare(buffer, 3, 3 + packet.length, view)).toBeUndefined()
  return { buffer, packet, view }
}

describe('patchPrepare', () => {
  it('changes amount and expiry and nothing else, as ilp-packet reads it', () => {
    const amounts = fc.oneof(
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      fc.bigInt({ min: 2n ** 53n - 3n, max: 2n ** 53n + 3n }),
      fc.constantFrom(0n, 2n ** 64n - 1n),
    )
    const times = fc.integer({ min: 1, max: TIMESTAMP_MAX_MS })
    fc.assert(
      fc.property(amounts, times, (value, expiresAtMs) => {
        const { buffer, packet, view } = prepared()
        const amount = toAmount(value)
        patchPrepare(view, amount, expiresAtMs)
        const patched = buffer.subarray(view.start, view.end)
        const read = deserializeIlpPrepare(patched)
        expect(read.amount).toBe(value.toString())
        // ilp-packet reads the years before 100 as 1900 and later; none are before 1970 here.
        expect(read.expiresAt.getTime()).toBe(expiresAtMs)
        expect(view.amount).toBe(amount)
        expect(view.expiresAtMs).toBe(expiresAtMs)
        const amountAt = view.amountOffset - view.start
        expect(patched.subarray(0, amountAt)).toEqual(packet.subarray(0, amountAt))
        expect(patched.subarray(amountAt + 25)).toEqual(packet.subarray(amountAt + 25))
        expect(buffer.toString('latin1', 0, 3)).toBe('abc')
        expect(buffer.toString('latin1', buffer.length - 3)).toBe('def')
      }),
      { numRuns: 500 },
    )
  })

  it('makes bytes that parse to the patched view', () => {
    const { buffer, view } = prepared()
    patchPrepare(view, 2n ** 64n - 1n, TIMESTAMP_MAX_MS)
    const again = createPrepareView()
    expect(parsePrepare(buffer, view.start, view.end, again)).toBeUndefined()
    expect(again).toEqual(view)
  })

  it.each([
    [-1, 1],
    [2n ** 64n, 1],
    [1, -1],
    [1, TIMESTAMP_MAX_MS + 1],
    [1, Number.NaN],
  ])('throws for amount %s and expiry %s, and leaves packet and view as they were', (amount, expiresAtMs) => {
    const { buffer, view } = prepared()
    const before = { bytes: Buffer.from(buffer), view: { ...view } }
    expect(() => patchPrepare(view, amount, expiresAtMs)).toThrow(RangeError)
    expect(view).toEqual(before.view)
    expect(buffer).toEqual(before.bytes)
  })
})
