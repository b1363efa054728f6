import { describe, expect, it } from 'vitest'
import { silentLogger } from '../../../src/lib/logger.ts'
import { CreditRetries } from '../../../src/settlement/credit-retries.ts'

function scene() {
  const at = { nowMs: 0, takenUp: 0, isOpen: true, broken: undefined as Error | undefined }
  const retries = new CreditRetries({
    credits: {
      takeUp: async () => {
        at.takenUp++
      },
      get hasOpen() {
        if (at.broken !== undefined) throw at.broken
        return at.isOpen
      },
    },
    clock: { now: () => at.nowMs },
    logger: silentLogger,
  })
  const tick = async (nowMs: number) => {
    at.nowMs = nowMs
    retries.tick(nowMs)
    await retries.idle()
  }
  return { at, retries, tick }
}

describe('credits that wait', () => {
  it('are taken up until none is open, and not before one may be', async () => {
    const { at, retries, tick } = scene()
    await tick(0)
    expect(at.takenUp).toBe(0)
    retries.needed()
    await tick(1)
    at.isOpen = false
    await tick(2)
    await tick(3)
    expect(at.takenUp).toBe(2)
  })

  it('are taken up again, ever more seldom, while the store cannot be read, which ends no process', async () => {
    const { at, retries, tick } = scene()
    at.broken = new Error('the store is not open')
    retries.needed()
    await tick(0)
    await tick(999)
    expect(at.takenUp).toBe(1)
    await tick(1_000)
    await tick(2_999)
    expect(at.takenUp).toBe(2)
    at.broken = undefined
    await tick(3_000)
    expect(at.takenUp).toBe(3)
  })
})
