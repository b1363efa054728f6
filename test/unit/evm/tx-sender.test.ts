import type { Hex } from 'viem'
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { waitFor } from '../../support/wait-for.ts'
import { SenderChain } from './sender-chain.ts'
import { GWEI, SenderFixture, type SenderFixtureOptions, transfer } from './sender-fixture.ts'

const REVERTING: Hex = '0x60006000fd'
const CONTRACT: Hex = '0x00000000000000000000000000000000c0de0001'
const ETHER = 10n ** 18n

const chain = SenderChain.use()
let fixture: SenderFixture
let address: Hex
let recipient: Hex

beforeEach(async () => {
  recipient = privateKeyToAddress(generatePrivateKey())
  await make()
})
afterEach(async () => {
  await fixture.destroy()
})

async function make(options: Partial<SenderFixtureOptions> = {}): Promise<void> {
  await fixture?.destroy()
  const key = await chain.fundedKey()
  address = key.address
  const urls = [chain.anvil.url]
  fixture = await new SenderFixture({ urls, privateKey: key.privateKey, ...options }).start()
}

const to = (change: Parameters<typeof transfer>[1] = {}) => ({ to: recipient, ...change })

async function settle(rounds?: number): Promise<void> {
  await chain.settle([fixture.sender], rounds)
}

describe('a transaction', () => {
  it('is told when it is final, not before, and once', async () => {
    fixture.sender.submit(transfer('a', to()))
    await fixture.sender.tick()
    await chain.anvil.drain()
    expect(await chain.anvil.balance(recipient)).toBe(1_000n)
    await fixture.sender.tick()
    expect(fixture.told).toEqual([])
    await settle()
    expect(fixture.told).toEqual(['a succeeded'])
    const { outcome } = fixture.outcomes[0]!
    expect(ETHER - outcome.feePaid - 1_000n).toBe(await chain.anvil.balance(address))
    expect(fixture.sender.submit(transfer('a', to()))).toBe(false)
    await fixture.stop()
    await fixture.start()
    await settle()
    expect(fixture.told).toEqual(['a succeeded'])
    expect(await chain.anvil.transactionCount(address)).toBe(1)
  })

  it('that reverts in its block is an outcome too', async () => {
    await chain.anvil.setCode(CONTRACT, REVERTING)
    fixture.sender.submit(transfer('a', { to: CONTRACT, gasLimit: 60_000n }))
    await fixture.sender.tick()
    await settle()
    expect(fixture.told).toEqual(['a reverted'])
  })

  it('that would revert is not signed, and can be taken back', async () => {
    await chain.anvil.setCode(CONTRACT, REVERTING)
    fixture.sender.submit(transfer('a', { to: CONTRACT, gasLimit: undefined }))
    fixture.sender.submit(transfer('b', to({ gasLimit: undefined })))
    await fixture.sender.tick()
    expect(fixture.alarms).toEqual(['would-revert'])
    fixture.sender.cancel('a')
    await settle()
    expect(fixture.told).toEqual(['a cancelled', 'b succeeded'])
    expect(await chain.anvil.transactionCount(address)).toBe(1)
  })

  it('waits for funds, and goes when they are there', async () => {
    fixture.sender.submit(transfer('a', to({ value: 5n * ETHER })))
    await fixture.sender.tick()
    expect(fixture.alarms).toEqual(['low-funds'])
    expect(fixture.sender.purpose('a')?.state).toBe('queued')
    await chain.anvil.setBalance(address, 6n * ETHER)
    await fixture.sender.tick()
    await settle()
    expect(fixture.told).toEqual(['a succeeded'])
  })

  it('is told again when telling fails, and is recorded with what the telling writes', async () => {
    fixture.sender.submit(transfer('a', to()))
    await fixture.sender.tick()
    fixture.onOutcome = () => {
      fixture.store.database.exec('CREATE TABLE effects (x)')
      throw new Error('disk full')
    }
    await settle()
    expect(fixture.sender.purpose('a')?.state).toBe('pending')
    const effects = "SELECT count(*) AS found FROM sqlite_master WHERE name = 'effects'"
    expect(fixture.store.database.prepare(effects).get()).toEqual({ found: 0 })
    fixture.onOutcome = () => undefined
    await settle()
    expect(fixture.told).toEqual(['a succeeded'])
  })

  it('goes out with others, sixteen nonces at a time, in order', async () => {
    await chain.anvil.setAutomine(false)
    for (let index = 0; index < 20; index++) fixture.sender.submit(transfer(`p${index}`, to()))
    await fixture.sender.tick()
    expect(fixture.sender.open().map(({ nonce }) => nonce)).toEqual(Array.from({ length: 16 }, (_, n) => n))
    await settle(4)
    expect(fixture.told).toHaveLength(20)
    expect(await chain.anvil.balance(recipient)).toBe(20_000n)
  })
})

describe('what is urgent', () => {
  it('waits neither behind purposes that cannot be signed, nor for a nonce among many', async () => {
    await chain.anvil.setAutomine(false)
    for (let index = 0; index < 80; index++) {
      fixture.sender.submit(transfer(`dear${index}`, to({ feeBudget: 1n })))
    }
    for (let index = 0; index < 20; index++) fixture.sender.submit(transfer(`p${index}`, to()))
    await fixture.sender.tick()
    expect(fixture.sender.open()).toHaveLength(0)
    for (let index = 0; index < 80; index++) fixture.sender.cancel(`dear${index}`)
    await fixture.sender.tick()
    expect(fixture.sender.open()).toHaveLength(16)
    for (let index = 0; index < 80; index++) {
      fixture.sender.submit(transfer(`again${index}`, to({ feeBudget: 1n })))
    }
    fixture.sender.submit(transfer('claim', to({ urgency: 'urgent' })))
    await fixture.sender.tick()
    expect(fixture.sender.open().map(({ intent }) => intent.purpose)).toContain('claim')
  })
})

describe('a running sender', () => {
  it('looks by itself, at once when there is something new, until it is stopped', async () => {
    await make({ pollMs: 20 })
    fixture.sender.submit(transfer('a', to()))
    await waitFor('the outcome', async () => {
      await chain.anvil.mine(1)
      return fixture.told.length > 0
    })
    expect(fixture.told).toEqual(['a succeeded'])
    expect(fixture.sender.lookedAtMs).toBe(fixture.nowMs)
    const { sender } = fixture
    await fixture.stop()
    await sender.stop()
  })

  it('that polls rarely is woken by a new purpose', async () => {
    await make({ pollMs: 3_600_000 })
    fixture.sender.submit(transfer('a', to()))
    await waitFor('the transfer', async () => (await chain.anvil.balance(recipient)) === 1_000n)
  })
})

describe('a transaction that is stuck', () => {
  beforeEach(async () => {
    await chain.anvil.setAutomine(false)
  })

  it('at the head is replaced with both fees a tenth higher; those behind it are left alone', async () => {
    fixture.sender.submit(transfer('head', to()))
    fixture.sender.submit(transfer('next', to()))
    await fixture.sender.tick()
    fixture.nowMs += 44_000
    await fixture.sender.tick()
    expect(fixture.sender.open().map(({ attempts }) => attempts.length)).toEqual([1, 1])
    fixture.nowMs += 2_000
    await fixture.sender.tick()
    const [head, next] = fixture.sender.open()
    const [first, second] = head!.attempts
    expect(second!.maxFeePerGas * 100n).toBeGreaterThanOrEqual(first!.maxFeePerGas * 110n)
    expect(second!.maxPriorityFeePerGas * 100n).toBeGreaterThanOrEqual(first!.maxPriorityFeePerGas * 110n)
    expect(next!.attempts).toHaveLength(1)
    await settle()
    expect(fixture.told).toEqual(['head succeeded', 'next succeeded'])
    expect(fixture.sender.purpose('head')?.outcomeHash).toBe(second!.hash)
    expect(await chain.anvil.balance(recipient)).toBe(2_000n)
  })

  it('is bumped sooner when something urgent waits behind it', async () => {
    fixture.sender.submit(transfer('head', to()))
    fixture.sender.submit(transfer('claim', to({ urgency: 'urgent', deadlineMs: fixture.nowMs + 100_000 })))
    await fixture.sender.tick()
    fixture.nowMs += 16_000
    await fixture.sender.tick()
    expect(fixture.sender.open().map(({ attempts }) => attempts.length)).toEqual([2, 1])
  })

  it('after a fee spike gets through with the fees that are needed now', async () => {
    fixture.sender.submit(transfer('a', to()))
    await fixture.sender.tick()
    await chain.anvil.setNextBaseFee(50n * GWEI)
    await chain.anvil.mine(1)
    await fixture.sender.tick()
    expect(await chain.anvil.transactionCount(address)).toBe(0)
    fixture.nowMs += 46_000
    await fixture.sender.tick()
    expect(fixture.sender.open()[0]!.attempts.at(-1)!.maxFeePerGas).toBeGreaterThan(80n * GWEI)
    await settle()
    expect(fixture.told).toEqual(['a succeeded'])
    await lowerBaseFee()
  })

  it('is never bumped beyond its budget', async () => {
    await lowerBaseFee()
    fixture.sender.submit(transfer('a', to({ feeBudget: 21_000n * 3n * GWEI })))
    await fixture.sender.tick()
    expect(fixture.sender.open()).toHaveLength(1)
    await chain.anvil.setNextBaseFee(50n * GWEI)
    await chain.anvil.mine(1)
    for (let round = 0; round < 12; round++) {
      fixture.nowMs += 46_000
      await fixture.sender.tick()
    }
    expect(fixture.alarms).toContain('fee-limit')
    for (const { maxFeePerGas } of fixture.sender.open()[0]!.attempts) {
      expect(maxFeePerGas * 21_000n).toBeLessThanOrEqual(21_000n * 3n * GWEI)
    }
    await lowerBaseFee()
    await settle()
    expect(fixture.told).toEqual(['a succeeded'])
  })

  it('can be taken back by a transfer to ourselves under its nonce', async () => {
    fixture.sender.submit(transfer('a', to()))
    fixture.sender.submit(transfer('b', to()))
    await fixture.sender.tick()
    fixture.sender.cancel('a')
    await fixture.sender.tick()
    expect(fixture.sender.open()[0]!.attempts.map(({ kind }) => kind)).toEqual(['call', 'cancel'])
    await settle()
    expect(fixture.told).toEqual(['a cancelled', 'b succeeded'])
    expect(await chain.anvil.balance(recipient)).toBe(1_000n)
    expect(fixture.sender.submit(transfer('a', to()))).toBe(false)
  })

  it('that lands before it can be taken back has succeeded', async () => {
    fixture.sender.submit(transfer('a', to()))
    await fixture.sender.tick()
    await chain.anvil.mine(1)
    fixture.sender.cancel('a')
    await settle()
    expect(fixture.told).toEqual(['a succeeded'])
  })

  /** Later tests of this chain find it as cheap as before. */
  async function lowerBaseFee(): Promise<void> {
    await chain.anvil.setNextBaseFee(GWEI)
    await chain.anvil.mine(1)
  }
})

describe('fees above the ceiling', () => {
  it('keep a purpose waiting, unsigned', async () => {
    await make({ maxFeePerGas: 20n * GWEI })
    await chain.anvil.setNextBaseFee(100n * GWEI)
    await chain.anvil.mine(1)
    fixture.sender.submit(transfer('a', to()))
    await fixture.sender.tick()
    expect(fixture.alarms).toEqual(['fee-limit'])
    expect(fixture.sender.purpose('a')).toMatchObject({ state: 'queued', nonce: undefined })
    await chain.anvil.setNextBaseFee(GWEI)
    await chain.anvil.mine(1)
    await fixture.sender.tick()
    await settle()
    expect(fixture.told).toEqual(['a succeeded'])
  })
})

describe('a reorg', () => {
  it('before finality makes it sent again; it lands once', async () => {
    fixture.sender.submit(transfer('a', to()))
    await fixture.sender.tick()
    await chain.anvil.drain()
    expect(await chain.anvil.balance(recipient)).toBe(1_000n)
    await chain.anvil.reorg(1)
    expect(await chain.anvil.balance(recipient)).toBe(0n)
    await fixture.sender.tick()
    expect(fixture.told).toEqual([])
    await settle()
    expect(fixture.told).toEqual(['a succeeded'])
    expect(await chain.anvil.balance(recipient)).toBe(1_000n)
    expect(await chain.anvil.transactionCount(address)).toBe(1)
  })

  it('deeper than the chosen finality is an alarm, and it is sent again under its own nonce', async () => {
    await make({ finality: { kind: 'blocks', depth: 1 } })
    fixture.sender.submit(transfer('a', to()))
    await fixture.sender.tick()
    await chain.anvil.drain()
    await chain.anvil.mine(1)
    await fixture.sender.tick()
    expect(fixture.told).toEqual(['a succeeded'])
    await chain.anvil.reorg(2)
    expect(await chain.anvil.balance(recipient)).toBe(0n)
    await chain.anvil.mine(2)
    await fixture.sender.tick()
    expect(fixture.alarms).toEqual(['final-transaction-missing'])
    await settle()
    expect(fixture.told).toEqual(['a succeeded'])
    expect(await chain.anvil.balance(recipient)).toBe(1_000n)
    expect(await chain.anvil.transactionCount(address)).toBe(1)
  })
})
