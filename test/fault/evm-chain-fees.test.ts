import { beforeEach, describe, expect, it } from 'vitest'
import type { EvmEngineOptions } from '../../settlement-engines/evm/engine/evm-options.ts'
import { GWEI } from '../unit/evm/sender-fixture.ts'
import { FaultRig } from './support/fault-rig.ts'
import { type FaultySide, until } from './support/faulty-side.ts'

/** Above all that a claim takes, below what the budgets are made for. */
const CLAIM_GAS = 100_000n
const MINUTE_MS = 60_000

describe('fees', () => {
  const rig = FaultRig.use()
  let payer: FaultySide
  let payee: FaultySide

  beforeEach(async () => {
    await baseFee(GWEI)
  })

  async function open(
    change: { payer?: Partial<EvmEngineOptions>; payee?: Partial<EvmEngineOptions> } = {},
  ): Promise<void> {
    const payeeChange = { rpcUrls: [rig.proxy.url], ...change.payee }
    ;[payer, payee] = await rig.peers({ ...change, payee: payeeChange })
  }

  async function baseFee(wei: bigint): Promise<void> {
    await rig.anvil.setNextBaseFee(wei)
    await rig.anvil.mine(1)
  }

  async function settled(id: string, amount: bigint): Promise<void> {
    await payer.settle(id, amount)
    await until(rig.anvil, [payer, payee], `${id} is settled`, () => payer.isSettled(id))
    await until(rig.anvil, [payer, payee], 'credited', () => payee.creditedSum >= amount)
  }

  /** The payer asks the chain for the rest, and does not tell. */
  async function closeSilently(): Promise<void> {
    payer.onMessage = async () => {
      throw new Error('the payer does not speak')
    }
    await payer.engine.operations.close(payer.engine.channels()[0]!.id)
    await until(rig.anvil, [payer], 'the close is asked for', async () => {
      return payer.engine.channels()[0]!.expiresAtMs !== undefined
    })
  }

  const isDefended = () => payee.engine.channels()[0]?.claimed === 400_000n

  it('above maxFeePerGas make an order wait with an alarm; it goes on when they fall', async () => {
    await open({ payer: { maxFeePerGas: String(20n * GWEI) } })
    const before = await rig.anvil.transactionCount(payer.address)
    await rig.anvil.setNextBaseFee(100n * GWEI)
    await payer.settle('a', 1_000n)
    for (let round = 0; round < 3; round++) {
      await baseFee(100n * GWEI)
      await payer.engine.tick()
    }
    expect(payer.alarms).toEqual(['fee-limit'])
    expect(await rig.anvil.transactionCount(payer.address, 'pending')).toBe(before)
    await baseFee(GWEI)
    await until(rig.anvil, [payer, payee], 'settled', () => payer.isSettled('a'))
    expect(payee.creditedSum).toBe(1_000n)
  }, 60_000)

  it('beyond the budget of calm transactions do not keep a claim from a closing channel', async () => {
    const feeBudget = String(CLAIM_GAS * 10n * GWEI)
    await open({ payee: { feeBudget, urgentFeeBudget: String(CLAIM_GAS * 300n * GWEI) } })
    await settled('a', 400_000n)
    await closeSilently()
    for (let round = 0; round < 12 && !isDefended(); round++) {
      await baseFee(60n * GWEI)
      await payee.engine.tick()
    }
    expect(isDefended()).toBe(true)
    expect(payee.alarms).toContain('peer-closing')
    await baseFee(GWEI)
  }, 60_000)

  it('of a calm transaction whose budget is used up are raised for the urgent one behind it', async () => {
    const feeBudget = String(CLAIM_GAS * 10n * GWEI)
    await open({ payee: { feeBudget, urgentFeeBudget: String(CLAIM_GAS * 300n * GWEI) } })
    await settled('a', 400_000n)
    await rig.anvil.setAutomine(false)
    await payee.engine.operations.claim(payee.engine.channels()[0]!.id)
    await payee.engine.tick()
    const before = await rig.anvil.transactionCount(payee.address)
    expect(await rig.anvil.transactionCount(payee.address, 'pending')).toBe(before + 1)
    await rig.anvil.setNextBaseFee(60n * GWEI)
    payer.onMessage = async () => {
      throw new Error('the payer does not speak')
    }
    await payer.engine.operations.close(payer.engine.channels()[0]!.id)
    for (let round = 0; round < 30 && !isDefended(); round++) {
      payee.aheadMs += MINUTE_MS
      payer.aheadMs += MINUTE_MS
      await baseFee(60n * GWEI)
      await payer.engine.tick()
      await payee.engine.tick()
    }
    expect(isDefended()).toBe(true)
    await baseFee(GWEI)
  }, 60_000)

  it('that a node invents stay within budget and ceiling', async () => {
    await open({ payer: { rpcUrls: [rig.proxy.url], maxFeePerGas: String(50n * GWEI) } })
    const huge = `0x${'f'.repeat(64)}`
    const lies = [
      { baseFeePerGas: ['0x1', '0x1'], reward: [[huge, huge]] },
      { baseFeePerGas: ['0x1', huge], reward: [['0x1', '0x1']] },
      { baseFeePerGas: [], reward: [] },
      { baseFeePerGas: ['-0x1'], reward: null },
      { baseFeePerGas: ['0x0'], reward: [['0x0', '0x0']] },
    ]
    let turn = 0
    await rig.anvil.setAutomine(false)
    rig.proxy.plan = ({ method }) =>
      method === 'eth_feeHistory' ? { kind: 'result', result: lies[turn++ % lies.length] } : undefined
    await payer.settle('a', 1_000n)
    for (let round = 0; round < 12; round++) {
      payer.aheadMs += MINUTE_MS
      await payer.engine.tick()
    }
    const pool = await rig.anvil.rpc<{ pending: Record<string, Record<string, { maxFeePerGas: string }>> }>(
      'txpool_content',
    )
    const fees = Object.values(pool.pending)
      .flatMap((byNonce) => Object.values(byNonce))
      .map(({ maxFeePerGas }) => BigInt(maxFeePerGas))
    expect(fees.length).toBe(1)
    expect(fees.every((fee) => fee <= 50n * GWEI)).toBe(true)
    rig.proxy.plan = () => undefined
    await until(rig.anvil, [payer, payee], 'settled', () => payer.isSettled('a'))
  }, 60_000)

  it.each(['0x0', '0x1', '0xffffffffffffffff', null, -1])(
    'are not staked on an estimate of %j gas: it waits, and others do not wait for it',
    async (result) => {
      await open({ payer: { rpcUrls: [rig.proxy.url] } })
      let isLying = true
      rig.proxy.plan = ({ method }) =>
        isLying && method === 'eth_estimateGas' ? { kind: 'result', result } : undefined
      const before = await rig.anvil.transactionCount(payer.address)
      await payer.settle('a', 1_000n)
      for (let round = 0; round < 2; round++) await payer.engine.tick()
      expect(await rig.anvil.transactionCount(payer.address, 'pending')).toBe(before)
      isLying = false
      await until(rig.anvil, [payer, payee], 'settled', () => payer.isSettled('a'))
    },
    60_000,
  )

  it.each(['claim', 'defence'] as const)(
    'lost to an estimate that is too low do not end a %s: it is handed in again',
    async (what) => {
      await open()
      await settled('a', 400_000n)
      let lies = what === 'claim' ? 1 : 2
      rig.proxy.plan = ({ method }) =>
        method === 'eth_estimateGas' && lies-- > 0 ? { kind: 'result', result: '0x7530' } : undefined
      if (what === 'claim') await payee.engine.operations.claim(payee.engine.channels()[0]!.id)
      else await closeSilently()
      await until(rig.anvil, [payer, payee], 'the lies are used up', () => lies <= 0)
      await until(rig.anvil, [payer, payee], 'claimed', async () => {
        if (isDefended()) return true
        const { id, state, unclaimed } = payee.engine.channels()[0]!
        if (what === 'claim' && state === 'open' && unclaimed > 0n) await payee.engine.operations.claim(id)
        return false
      })
      expect(payee.alarms).not.toContain('channel-lost')
    },
    60_000,
  )
})
