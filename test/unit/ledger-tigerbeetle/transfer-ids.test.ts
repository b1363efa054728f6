import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  COMPENSATION_LEG,
  deriveId,
  legOf,
  legOffset,
  PACKET_STRIDE,
  Phase,
  packetBaseId,
  resolutionId,
  SHORTFALL_LEG,
} from '../../../src/ledger/tigerbeetle/transfer-ids.ts'

const U128_MAX = 2n ** 128n - 1n

describe('transfer ids', () => {
  it('rise with epoch and sequence, and never meet, whatever the attempt, leg and phase', () => {
    const packet = fc.record({
      epoch: fc.integer({ min: 1, max: 2 ** 48 - 1 }),
      sequence: fc.maxSafeNat(),
      attempt: fc.integer({ min: 0, max: 65_535 }),
      leg: fc.constantFrom(0, 1, COMPENSATION_LEG, SHORTFALL_LEG),
      phase: fc.constantFrom(...Object.values(Phase)),
    })
    fc.assert(
      fc.property(packet, packet, (a, b) => {
        const [idA, idB] = [a, b].map(
          ({ epoch, sequence, attempt, leg, phase }) =>
            packetBaseId(epoch, sequence) + legOffset(attempt, leg, phase),
        ) as [bigint, bigint]
        expect(idA > 0n && idA < U128_MAX).toBe(true)
        expect(legOf(idA)).toBe(a.leg)
        const order = Math.sign(a.epoch - b.epoch) || Math.sign(a.sequence - b.sequence)
        if (order !== 0) expect(idA < idB).toBe(order < 0)
        else if (JSON.stringify(a) !== JSON.stringify(b)) expect(idA).not.toBe(idB)
      }),
    )
  })

  it('give each packet of a batch its own range', () => {
    expect(packetBaseId(7, 41) + PACKET_STRIDE).toBe(packetBaseId(7, 42))
  })

  it('follow from the pending transfer for its resolution', () => {
    const pending = packetBaseId(7, 41) + legOffset(0, 1, Phase.pending)
    expect(resolutionId(pending, 'post')).toBe(packetBaseId(7, 41) + legOffset(0, 1, Phase.post))
    expect(resolutionId(pending, 'void')).toBe(packetBaseId(7, 41) + legOffset(0, 1, Phase.void))
  })

  it('follow from names, and from nothing else', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (namespace, name, other) => {
        const { id, check } = deriveId(namespace, 'clearing', name)
        expect(deriveId(namespace, 'clearing', name)).toEqual({ id, check })
        expect(id & 7n).toBe(0n)
        expect(deriveId(namespace, 'line', name).id).not.toBe(id)
        if (other !== name) expect(deriveId(namespace, 'clearing', other).id).not.toBe(id)
        if (other !== namespace) expect(deriveId(other, 'clearing', name).id).not.toBe(id)
      }),
    )
  })
})
