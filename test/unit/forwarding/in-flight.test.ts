import { describe, expect, it } from 'vitest'
import { HeldBytes } from '../../../src/forwarding/held-bytes.ts'
import { InFlight, NO_SLOT, SlotState } from '../../../src/forwarding/in-flight.ts'
import { AmountRate, PacketRate } from '../../../src/forwarding/rate-limits.ts'

describe('InFlight', () => {
  it('gives each packet a token of its own and forgets it when the slot is freed', () => {
    const table = new InFlight(3)
    const seen = new Set<number>()
    for (let packet = 0; packet < 5_000; packet++) {
      const slot = table.take()
      table.state[slot] = SlotState.sent
      const token = table.token(slot)
      expect(seen.has(token)).toBe(false)
      seen.add(token)
      expect(table.slotOf(token)).toBe(slot)
      table.free(slot)
      expect(table.slotOf(token)).toBe(NO_SLOT)
    }
  })

  it('never gives out a token that belongs to the links, and none for a slot beyond the last', () => {
    const table = new InFlight(1)
    let highest = 0
    for (let packet = 0; packet < 70_000; packet++) {
      const slot = table.take()
      highest = Math.max(highest, table.token(slot))
      table.free(slot)
    }
    expect(highest).toBeLessThan(0xffff0000)
    expect(table.slotOf(1)).toBe(NO_SLOT)
    expect(table.slotOf(0xffffffff)).toBe(NO_SLOT)
  })

  it('has no slot when all are taken, and refuses to free one twice', () => {
    const table = new InFlight(2)
    const slots = [table.take(), table.take()]
    expect(table.take()).toBe(NO_SLOT)
    for (const slot of slots) table.free(slot)
    expect(() => table.free(0)).toThrow('freed twice')
  })

  it('keeps amounts on both sides of 2^53 exact', () => {
    const table = new InFlight(1)
    for (const amount of [0, 2 ** 53 - 1, 2n ** 53n, 2n ** 64n - 1n, 7]) {
      const slot = table.take()
      table.inAmount.set(slot, amount)
      expect(table.inAmount.get(slot)).toBe(amount)
      table.free(slot)
      expect(table.inAmount.get(slot)).toBe(0)
    }
  })
})

describe('HeldBytes', () => {
  it('gives every slot its own bytes back, in any order of holding and dropping', () => {
    const slots = 64
    const held = new HeldBytes(slots)
    const expected = new Map<number, Buffer>()
    let total = 0
    for (let step = 0; step < 20_000; step++) {
      const slot = (step * 37) % slots
      const known = expected.get(slot)
      if (known !== undefined) {
        const found = held.buffer(slot).subarray(held.start(slot), held.end(slot))
        expect(Buffer.compare(found, known)).toBe(0)
        held.drop(slot)
        expected.delete(slot)
        total -= known.length
      } else {
        const packet = Buffer.alloc((step * 7919) % 42_000, step & 0xff)
        held.hold(slot, packet, 0, packet.length)
        expected.set(slot, packet)
        total += packet.length
      }
      expect(held.bytes).toBe(total)
    }
  })
})

describe('rate limits', () => {
  it('lets the burst through at once and then the rate, without drift', () => {
    const rate = new PacketRate(100, 10)
    let passed = 0
    for (let nowMs = 0; nowMs < 10_000; nowMs++) for (let i = 0; i < 5; i++) if (rate.take(nowMs)) passed++
    expect(passed).toBeGreaterThanOrEqual(1_008)
    expect(passed).toBeLessThanOrEqual(1_010)
  })

  it('counts value to the unit, also at rates below one unit per millisecond', () => {
    const rate = new AmountRate(1_500n, 0)
    let passed = 0
    for (let nowMs = 1; nowMs <= 10_000; nowMs++) while (rate.take(1, nowMs)) passed++
    // The bucket is full to begin with, so the first millisecond adds nothing.
    expect(passed).toBe(Math.floor(1_500 + 1.5 * 9_999))
    expect(new AmountRate(2n ** 64n, 0).take(2n ** 64n - 1n, 0)).toBe(true)
  })
})
