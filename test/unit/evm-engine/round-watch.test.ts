import { beforeEach, describe, expect, it } from 'vitest'
import { RoundWatch } from '../../../settlement-engines/evm/engine/round-watch.ts'

const MINUTE_MS = 60_000

describe('what fails in the rounds of an engine', () => {
  let nowMs: number
  let alarms: Record<string, unknown>[]
  let watch: RoundWatch

  beforeEach(() => {
    nowMs = 0
    alarms = []
    watch = new RoundWatch({
      clock: { now: () => nowMs },
      alarm: (code, fields) => alarms.push({ code, ...fields }),
    })
  })

  /** A round a minute, in which the part does not go through. */
  function fail(minutes: number, part = 'deposits'): void {
    for (let minute = 0; minute < minutes; minute++) {
      nowMs += MINUTE_MS
      watch.note(part, `no answer in minute ${nowMs / MINUTE_MS}`)
      watch.ended()
    }
  }

  it('is an alarm once, when it has failed for ten minutes, and trouble from then on', () => {
    fail(10)
    expect([alarms, watch.trouble]).toEqual([[], undefined])
    fail(1)
    const since = '1970-01-01T00:01:00.000Z'
    const reason = 'no answer in minute 11'
    expect(alarms).toEqual([{ code: 'rounds-fail', part: 'deposits', since, reason }])
    expect(watch.trouble).toBe(`deposits: has failed since ${since}: ${reason}`)
    fail(30)
    expect(alarms).toHaveLength(1)
    expect(watch.trouble).toContain('minute 41')
  })

  it('is over when it goes through, and an alarm again the next time', () => {
    fail(11)
    watch.note('deposits', undefined)
    expect(watch.trouble).toBeUndefined()
    fail(10)
    expect(alarms).toHaveLength(1)
    fail(1)
    expect(alarms).toHaveLength(2)
  })

  it('counts part by part: one that goes through does not hide one that never does', () => {
    for (let minute = 0; minute < 12; minute++) {
      fail(1, 'orders of alice')
      watch.note('deposits', minute % 2 === 0 ? 'no answer' : undefined)
    }
    expect(alarms.map(({ part }) => part)).toEqual(['orders of alice'])
  })

  it('does not count time in which nothing was tried, or through which the clock jumped', () => {
    fail(1)
    nowMs += 10 * MINUTE_MS
    fail(1)
    expect(alarms).toEqual([])
    fail(11)
    nowMs += 10 * MINUTE_MS
    watch.ended()
    expect(watch.trouble).toBeUndefined()
  })

  it('is told when rounds end no more', () => {
    nowMs = 10 * MINUTE_MS
    expect(watch.trouble).toBe('no round has ended since 1970-01-01T00:00:00.000Z')
    watch.ended()
    expect(watch.trouble).toBeUndefined()
  })
})
