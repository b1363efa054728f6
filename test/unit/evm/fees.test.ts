import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bumpFees, ceilingOf, chooseFees, type FeeDemand } from '../../../settlement-engines/evm/fees.ts'
import type { QueuedIntent } from '../../../settlement-engines/evm/tx-intent.ts'
import { headDemand, withMargin } from '../../../settlement-engines/evm/tx-terms.ts'
import { GWEI, transfer } from './sender-fixture.ts'

const MARKET = { baseFee: 10n * GWEI, priorityMiddle: GWEI, priorityHigh: 3n * GWEI }
const CALM: FeeDemand = {
  urgency: 'calm',
  createdMs: 0,
  deadlineMs: undefined,
  nowMs: 0,
  ceiling: 1_000n * GWEI,
}
const fee = fc.bigInt(1n, 10n ** 13n)

describe('choosing fees', () => {
  it('leaves room for a rising base fee, and more when it is urgent', () => {
    expect(chooseFees(MARKET, CALM)).toEqual({ maxFeePerGas: 21n * GWEI, maxPriorityFeePerGas: GWEI })
    expect(chooseFees(MARKET, { ...CALM, urgency: 'urgent' })).toEqual({
      maxFeePerGas: 36n * GWEI,
      maxPriorityFeePerGas: 6n * GWEI,
    })
  })

  it('doubles the priority fee with each fifth of the time to a deadline, and then no more', () => {
    const at = (nowMs: number) =>
      chooseFees(MARKET, { ...CALM, createdMs: 1_000, deadlineMs: 2_000, nowMs })!.maxPriorityFeePerGas / GWEI
    expect([0, 1_000, 1_200, 1_400, 1_600, 1_800, 2_000, 9_000].map(at)).toEqual([
      1n,
      1n,
      2n,
      4n,
      8n,
      16n,
      16n,
      16n,
    ])
  })

  it('never passes the ceiling, and waits when the base fee alone does', () => {
    fc.assert(
      fc.property(fee, fee, fee, fee, (baseFee, priorityMiddle, priorityHigh, ceiling) => {
        const fees = chooseFees({ baseFee, priorityMiddle, priorityHigh }, { ...CALM, ceiling })
        if (baseFee >= ceiling) return fees === undefined
        return fees!.maxFeePerGas <= ceiling && fees!.maxPriorityFeePerGas <= fees!.maxFeePerGas
      }),
    )
  })

  it('keeps all fees of a purpose within its budget', () => {
    expect(ceilingOf(21_000n * 7n, 21_000n, 100n)).toBe(7n)
    expect(ceilingOf(21_000n * 7n, 21_000n, 5n)).toBe(5n)
  })
})

describe('the first of several waiting transactions', () => {
  const intent = (change: Partial<QueuedIntent> = {}): QueuedIntent => ({
    ...transfer('a', { feeBudget: 100n, ...change }),
    createdMs: 5,
    isCancelled: false,
    ...change,
  })

  it('is as urgent as the most urgent behind it, which lends it its budget', () => {
    const urgent = intent({ urgency: 'urgent', feeBudget: 900n, deadlineMs: 50, createdMs: 7 })
    expect(headDemand([intent()])).toEqual({
      urgency: 'calm',
      deadlineMs: undefined,
      createdMs: 5,
      feeBudget: 100n,
    })
    const demand = { urgency: 'urgent', deadlineMs: 50, createdMs: 7 }
    expect(headDemand([intent(), urgent])).toEqual({ ...demand, feeBudget: 900n })
    expect(headDemand([intent(), intent(), intent(), urgent])).toEqual({ ...demand, feeBudget: 300n })
    expect(headDemand([urgent, intent({ feeBudget: 5_000n })])).toEqual({ ...demand, feeBudget: 900n })
  })
})

describe('a gas limit', () => {
  it.each([0n, 1n, 20_999n, 12_000_001n, 2n ** 256n - 1n])(
    'is not made from an estimate of %d',
    (estimate) => {
      expect(() => withMargin(estimate)).toThrow('a node estimates')
    },
  )

  it('is a quarter above the estimate', () => {
    expect(withMargin(21_000n)).toBe(26_250n)
  })
})

describe('a bump', () => {
  it('raises both fees by a tenth at least, rounded up', () => {
    const previous = { maxFeePerGas: 101n, maxPriorityFeePerGas: 9n }
    expect(bumpFees(previous, undefined, 10_000n)).toEqual({ maxFeePerGas: 112n, maxPriorityFeePerGas: 10n })
  })

  it('takes what the market asks for when that is more', () => {
    const previous = { maxFeePerGas: 100n, maxPriorityFeePerGas: 10n }
    const fresh = { maxFeePerGas: 500n, maxPriorityFeePerGas: 10n }
    expect(bumpFees(previous, fresh, 10_000n)).toEqual({ maxFeePerGas: 500n, maxPriorityFeePerGas: 11n })
  })

  it('either obeys the rule of pools and the ceiling, or is not made', () => {
    fc.assert(
      fc.property(fee, fee, fee, fee, fee, (a, b, c, d, ceiling) => {
        const order = (x: bigint, y: bigint) =>
          x > y ? { maxFeePerGas: x, maxPriorityFeePerGas: y } : { maxFeePerGas: y, maxPriorityFeePerGas: x }
        const previous = order(a, b)
        const bumped = bumpFees(previous, order(c, d), ceiling)
        if (bumped === undefined) return previous.maxFeePerGas * 110n > ceiling * 100n - 100n
        return (
          bumped.maxFeePerGas * 100n >= previous.maxFeePerGas * 110n &&
          bumped.maxPriorityFeePerGas * 100n >= previous.maxPriorityFeePerGas * 110n &&
          bumped.maxPriorityFeePerGas <= bumped.maxFeePerGas &&
          bumped.maxFeePerGas <= ceiling
        )
      }),
    )
  })
})
