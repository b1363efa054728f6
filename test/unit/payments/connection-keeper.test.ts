import { EventEmitter } from 'node:events'
import type { Connection } from 'ilp-protocol-stream'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ConnectionKeeper } from '../../../src/payments/connection-keeper.ts'

class FakeConnection extends EventEmitter {
  destroyed = false
  async destroy(): Promise<void> {
    this.destroyed = true
    this.emit('close')
  }
}

describe('ConnectionKeeper', () => {
  let nowMs: number
  let keeper: ConnectionKeeper

  beforeEach(() => {
    vi.useFakeTimers()
    nowMs = 0
    keeper = new ConnectionKeeper({ clock: { now: () => nowMs } })
  })

  afterEach(() => {
    keeper.stop()
    vi.useRealTimers()
  })

  const open = () => {
    const connection = new FakeConnection()
    keeper.add(connection as unknown as Connection)
    return connection
  }
  const pay = (connection: FakeConnection) => keeper.paid(connection as unknown as Connection)

  it('closes the connection that is longest without money, of its own kind, when there are too many', () => {
    const paying = open()
    pay(paying)
    const silent = Array.from({ length: 1_001 }, open)
    expect(silent[0]?.destroyed).toBe(true)
    expect(silent[1]?.destroyed).toBe(false)
    expect(paying.destroyed).toBe(false)
    expect(keeper.size).toBe(1_001)
    pay(paying)
    for (const connection of silent) pay(connection)
    expect(paying.destroyed).toBe(true)
    expect(silent[1]?.destroyed).toBe(false)
  })

  it('closes what received nothing for five minutes', () => {
    const silent = open()
    const paying = open()
    nowMs = 200_000
    pay(paying)
    nowMs = 310_000
    vi.advanceTimersByTime(30_000)
    expect([silent.destroyed, paying.destroyed]).toEqual([true, false])
    nowMs = 510_000
    vi.advanceTimersByTime(30_000)
    expect(paying.destroyed).toBe(true)
    expect(keeper.size).toBe(0)
  })

  it('forgets connections that close, and does not take back those it let go', () => {
    const connection = open()
    connection.emit('close')
    expect(keeper.size).toBe(0)
    pay(connection)
    expect(keeper.size).toBe(0)
  })
})
