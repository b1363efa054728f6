import type { Hex } from 'viem'
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import { beforeEach, describe, expect, it } from 'vitest'
import { EngineConfigError, ResumeRefusedError } from '../../src/settlement/engine.ts'
import { FaultRig } from './support/fault-rig.ts'
import { type FaultySide, until } from './support/faulty-side.ts'

const DAY_MS = 86_400_000

const rig = FaultRig.use()

async function pending({ address }: FaultySide): Promise<number> {
  const latest = await rig.anvil.transactionCount(address)
  return (await rig.anvil.transactionCount(address, 'pending')) - latest
}

/** Until the side has a transaction that waits. */
async function waitForPool(side: FaultySide): Promise<void> {
  for (let round = 0; round < 20 && (await pending(side)) === 0; round++) await side.engine.tick()
  expect(await pending(side)).toBe(1)
}

describe('a key that something else uses', () => {
  let side: FaultySide
  let recipient: Hex

  beforeEach(async () => {
    recipient = privateKeyToAddress(generatePrivateKey())
    side = await open()
  })

  /** A process with the key, and books of its own. */
  async function open(): Promise<FaultySide> {
    const one = rig.side(0)
    one.accountOptions = { mode: 'transfer', peerAddress: recipient }
    await one.open()
    return one
  }

  async function rounds(count: number, ...sides: FaultySide[]): Promise<void> {
    for (let round = 0; round < count; round++) {
      await rig.anvil.mine()
      for (const { engine } of sides) await engine.tick()
    }
  }

  it('is not taken into use by a second process while transactions of the first wait', async () => {
    await rig.anvil.setAutomine(false)
    await side.settle('a', 1_000n)
    await waitForPool(side)
    await expect(open()).rejects.toBeInstanceOf(EngineConfigError)
    await until(rig.anvil, [side], 'a is settled', () => side.isSettled('a'))
    expect(side.alarms).toEqual([])
  }, 60_000)

  it('halts the second process at the first transaction of the other, and each order is paid once', async () => {
    const second = await open()
    await side.settle('a', 1_000n)
    await until(rig.anvil, [side], 'a is settled', () => side.isSettled('a'))
    await second.settle('b', 20_000n)
    await rounds(4, second, side)
    expect(second.alarms).toContain('foreign-transaction')
    expect(second.isSettled('b')).toBe(false)
    expect(await rig.anvil.balance(recipient)).toBe(1_000n)
    await second.restart()
    await rounds(4, second)
    expect(second.isSettled('b')).toBe(false)
    expect(second.alarms.filter((code) => code === 'foreign-transaction')).toHaveLength(2)
    expect(second.engine.trouble()).toContain('another process uses the key')
    expect(side.engine.trouble()).toBeUndefined()
    await second.engine.resume()
    expect(second.engine.trouble()).toBeUndefined()
    await expect(second.engine.resume()).rejects.toBeInstanceOf(ResumeRefusedError)
    await until(rig.anvil, [second], 'b is settled', () => second.isSettled('b'))
    expect(await rig.anvil.balance(recipient)).toBe(21_000n)
  }, 60_000)

  it('loses a nonce to a foreign transaction with more fees: the order stays open, and is paid once after all', async () => {
    await rig.anvil.setAutomine(false)
    await side.settle('a', 1_000n)
    await waitForPool(side)
    const nonce = await rig.anvil.transactionCount(side.address)
    await rig.anvil.rpc('anvil_dropAllTransactions')
    await rig.anvil.rpc('anvil_impersonateAccount', side.address)
    await rig.chain.send(recipient, '0x', side.address, 5n)
    await rig.anvil.mine()
    expect(await rig.anvil.transactionCount(side.address)).toBe(nonce + 1)
    expect(await rig.anvil.balance(recipient)).toBe(5n)
    await rounds(5, side)
    expect(side.alarms).toContain('foreign-transaction')
    expect(side.isSettled('a')).toBe(false)
    await side.restart()
    await rounds(3, side)
    expect(side.isSettled('a')).toBe(false)
    await side.engine.resume()
    await until(rig.anvil, [side], 'a is settled', () => side.isSettled('a'))
    expect(await rig.anvil.balance(recipient)).toBe(1_005n)
  }, 60_000)

  it('was used while the engine was down: it starts, says so, and signs nothing', async () => {
    await side.engine.stop()
    await rig.anvil.rpc('anvil_impersonateAccount', side.address)
    await rig.chain.send(recipient, '0x', side.address, 5n)
    await rig.anvil.mine(4)
    await side.open()
    await side.settle('a', 1_000n)
    await rounds(3, side)
    expect(side.alarms).toEqual(['foreign-transaction'])
    expect(await rig.anvil.balance(recipient)).toBe(5n)
    await side.engine.resume()
    await until(rig.anvil, [side], 'a is settled', () => side.isSettled('a'))
    expect(await rig.anvil.balance(recipient)).toBe(1_005n)
  }, 60_000)
})

describe('a clock that is wrong', () => {
  it.each([
    ['ahead', 3 * DAY_MS, -3 * DAY_MS],
    ['behind', -3 * DAY_MS, 3 * DAY_MS],
  ])(
    'by days %s neither hurries a withdrawal nor delays a defence',
    async (_, payerSkew, payeeSkew) => {
      const [payer, payee] = await rig.peers()
      payer.aheadMs = payerSkew
      payee.aheadMs = payeeSkew
      await payer.restart()
      await payee.restart()
      await payer.settle('a', 400_000n)
      await until(rig.anvil, [payer, payee], 'settled', () => payer.isSettled('a'))
      await until(rig.anvil, [payer, payee], 'credited', () => payee.creditedSum === 400_000n)
      payer.onMessage = async () => {
        throw new Error('the payer does not speak')
      }
      await payer.engine.operations.close(payer.engine.channels()[0]!.id)
      await until(rig.anvil, [payer, payee], 'defended', () => {
        return payee.engine.channels()[0]!.claimed === 400_000n
      })
      expect(payer.engine.channels()[0]!.state).toBe('closing')
      await rig.anvil.increaseTime(7_300)
      await until(rig.anvil, [payer, payee], 'closed', () => {
        return (
          payer.engine.channels()[0]!.state === 'closed' && payee.engine.channels()[0]!.state === 'closed'
        )
      })
      expect(payee.alarms).not.toContain('channel-lost')
      expect(payer.alarms).toEqual([])
    },
    60_000,
  )

  it.each([
    ['', false],
    [' and a restart follows', true],
  ])(
    'that is set back by days%s does not keep what waits from being sent again',
    async (_, restarts) => {
      const [payer, payee] = await rig.peers()
      payer.aheadMs = 3 * DAY_MS
      await rig.anvil.setAutomine(false)
      await payer.settle('a', 1_000n)
      await waitForPool(payer)
      await rig.anvil.rpc('anvil_dropAllTransactions')
      payer.aheadMs = 0
      if (restarts) await payer.restart()
      await payer.engine.tick()
      payer.aheadMs = 60_000
      await payer.engine.tick()
      expect(await pending(payer)).toBe(1)
      await until(rig.anvil, [payer, payee], 'settled', () => payer.isSettled('a'))
    },
    60_000,
  )
})
