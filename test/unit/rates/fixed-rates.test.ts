import { describe, expect, it } from 'vitest'
import { FixedRates } from '../../../src/rates/fixed-rates.ts'

const clock = { now: () => 1_700_000_000_000 }
const make = (prices: Record<string, string>) =>
  new FixedRates({ provider: 'fixed', base: 'USD', prices }, { clock })

describe('FixedRates', () => {
  it('gives prices, their inverse and cross rates exactly', () => {
    const rates = make({ XRP: '0.52', EUR: '1.1' })
    expect(rates.rate('XRP', 'USD')).toEqual({ numerator: 13n, denominator: 25n })
    expect(rates.rate('USD', 'XRP')).toEqual({ numerator: 25n, denominator: 13n })
    expect(rates.rate('XRP', 'EUR')).toEqual({ numerator: 26n, denominator: 55n })
  })

  it('answers 1 for the same asset, known or not, and nothing for an unknown one', () => {
    const rates = make({})
    expect(rates.rate('ABC', 'ABC')).toEqual({ numerator: 1n, denominator: 1n })
    expect(rates.rate('ABC', 'USD')).toBeUndefined()
    expect(rates.rate('constructor', '__proto__')).toBeUndefined()
  })

  it('names the asset of a price that cannot be used', () => {
    expect(() => make({ XRP: '0' })).toThrow(/price of XRP.*above zero/)
    expect(() => make({ XRP: 'cheap' })).toThrow(/price of XRP.*not a decimal/)
    expect(() => make({ USD: '2' })).toThrow(/price of USD.*base asset/)
    expect(make({ USD: '1.0' }).rate('USD', 'USD')).toEqual({ numerator: 1n, denominator: 1n })
  })

  it('takes a new table as a whole or not at all', () => {
    const rates = make({ XRP: '0.5' })
    const before = rates.version
    expect(() => rates.replace({ provider: 'fixed', base: 'USD', prices: { XRP: '-1' } })).toThrow(RangeError)
    expect(rates.version).toBe(before)
    rates.replace({ provider: 'fixed', base: 'USD', prices: { XRP: '0.25' } })
    expect(rates.version).toBeGreaterThan(before)
    expect(rates.rate('USD', 'XRP')).toEqual({ numerator: 4n, denominator: 1n })
  })

  it('shows its table', () => {
    expect(make({ XRP: '0.5' }).status()).toEqual({
      source: 'fixed',
      prices: { XRP: '0.5' },
      baseAsset: 'USD',
      updatedAtMs: 1_700_000_000_000,
      stale: false,
    })
  })
})
