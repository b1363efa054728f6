import { describe, expect, it } from 'vitest'
import { IN_FLIGHT_MAX, InFlight, NO_TAG } from '../../../bench/load/in-flight.ts'

/** Tags from here up belong to the link (`src/peers/link.ts`). */
const LINK_TAG_MIN = 0xffff_0000

describe('InFlight', () => {
  it('knows a packet by its tag until it is freed, and never again', () => {
    const inFlight = new InFlight()
    const tag = inFlight.take(3, 12.5, 1_000)
    expect(inFlight.has(tag, 3)).toBe(true)
    expect(inFlight.has(tag, 2)).toBe(false)
    expect(inFlight.dueAt(tag)).toBe(12.5)
    inFlight.free(tag)
    expect(inFlight.has(tag, 3)).toBe(false)
    const next = inFlight.take(3, 13, 1_000)
    expect(next).not.toBe(tag)
    expect(inFlight.has(tag, 3)).toBe(false)
  })

  it('takes 65,536 packets, all with different tags, and no more', () => {
    const inFlight = new InFlight()
    const tags = new Set(Array.from({ length: IN_FLIGHT_MAX }, () => inFlight.take(0, 0, 1)))
    expect(tags.size).toBe(IN_FLIGHT_MAX)
    expect(tags.has(NO_TAG)).toBe(false)
    expect(inFlight.take(0, 0, 1)).toBe(NO_TAG)
    expect(inFlight.size).toBe(IN_FLIGHT_MAX)
  })

  it('never gives a tag that belongs to the link', () => {
    const inFlight = new InFlight()
    let highest = 0
    for (let i = 0; i < 2 * IN_FLIGHT_MAX + 10; i++) {
      const tag = inFlight.take(0, 0, 1)
      highest = Math.max(highest, tag)
      inFlight.free(tag)
    }
    expect(highest).toBeLessThan(LINK_TAG_MIN)
    expect(highest).toBeGreaterThan(LINK_TAG_MIN - 2 * IN_FLIGHT_MAX)
  })

  it('finds the packets that have expired', () => {
    const inFlight = new InFlight()
    const early = inFlight.take(0, 0, 1_000)
    const late = inFlight.take(0, 0, 2_000)
    const found: number[] = []
    inFlight.forEachExpired(1_500, (tag) => {
      found.push(tag)
      inFlight.free(tag)
    })
    expect(found).toEqual([early])
    expect(inFlight.has(late, 0)).toBe(true)
    expect(inFlight.size).toBe(1)
  })
})
