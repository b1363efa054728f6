import { describe, expect, it } from 'vitest'
import { FaultRig } from './support/fault-rig.ts'
import { until } from './support/faulty-side.ts'

describe('a reorg', () => {
  const rig = FaultRig.use()

  const inContract = async () => await rig.anvil.balance(rig.chain.contract)

  it('that takes a deposit away before it is final leads to no credit; it comes again, once', async () => {
    const before = await inContract()
    const [payer, payee] = await rig.peers()
    await payer.settle('a', 1_000n)
    for (let round = 0; round < 20 && (await inContract()) === before; round++) {
      await payer.engine.tick()
      await rig.anvil.drain()
    }
    expect(await inContract()).toBe(before + 1_000_000n)
    const { id } = payer.engine.channels()[0]!
    await rig.anvil.reorg(1)
    expect(await inContract()).toBe(before)
    await payee.engine.tick()
    expect(payee.creditedSum).toBe(0n)
    // By then what no block shows is sent again.
    payer.aheadMs = 31_000
    await until(rig.anvil, [payer, payee], 'settled', () => payer.isSettled('a'))
    await until(rig.anvil, [payer, payee], 'credited', () => payee.creditedSum === 1_000n)
    expect(payer.engine.channels().map((channel) => channel.id)).toEqual([id])
    expect(await inContract()).toBe(before + 1_000_000n)
    expect([...payer.alarms, ...payee.alarms]).toEqual([])
  }, 60_000)

  it('deeper than the finality that was chosen: nothing more is credited until the deposit is back', async () => {
    const change = { finality: { kind: 'blocks', depth: 1 } } as const
    const [payer, payee] = await rig.peers({ payer: change, payee: change })
    const block = await rig.anvil.blockNumber()
    const before = await inContract()
    await payer.settle('a', 400_000n)
    await until(rig.anvil, [payer, payee], 'credited', () => payee.creditedSum === 400_000n)
    await until(rig.anvil, [payer, payee], 'settled', () => payer.isSettled('a'))
    await rig.anvil.reorg((await rig.anvil.blockNumber()) - block)
    expect(await inContract()).toBe(before)
    await payer.settle('b', 100_000n)
    await payee.engine.tick()
    expect(payee.alarms).toContain('deposit-gone')
    expect(payee.creditedSum).toBe(400_000n)
    await rig.anvil.mine(4)
    await payee.engine.tick()
    await payer.engine.tick()
    expect(payer.alarms).toContain('final-transaction-missing')
    await until(rig.anvil, [payer, payee], 'b is settled', () => payer.isSettled('b'))
    expect(payee.creditedSum).toBe(500_000n)
    expect(await inContract()).toBe(before + 1_000_000n)
    await payee.engine.operations.claim(payee.engine.channels()[0]!.id)
    await until(rig.anvil, [payer, payee], 'claimed', () => {
      return payee.engine.channels()[0]!.claimed === 500_000n
    })
    expect(payee.alarms).not.toContain('channel-lost')
  }, 60_000)
})
