import { type Abi, encodeFunctionData } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ANVIL_KEYS } from '../../support/anvil.ts'
import testContracts from '../../support/contracts/test-contracts.json' with { type: 'json' }
import { EngineChain, EnginePair } from './engine-pair.ts'

const ASSET = { token: 'native', deposit: '1000', maxDepositPerChannel: '2000', claimAtValue: '1000000' }

let chain: EngineChain
let pair: EnginePair | undefined

beforeAll(async () => {
  chain = await EngineChain.start()
})
afterEach(async () => {
  await pair?.stop()
  pair = undefined
})
afterAll(async () => {
  await chain?.anvil.stop()
})

async function start(totalBudget = '100000'): Promise<EnginePair> {
  const change = { assets: { ETH: { ...ASSET, totalBudget } } }
  pair = await EnginePair.start(chain, { payer: change, payee: change })
  return pair
}

async function settled(id: string, amount: bigint): Promise<void> {
  await pair!.payer.settle(id, amount)
  await pair!.until(`${id} settled`, () => pair!.payer.ends.get(id) === 'settled')
}

async function rounds(count: number): Promise<void> {
  for (let round = 0; round < count; round++) await pair!.advance()
}

describe('an outgoing channel', () => {
  it('is topped up when less than a quarter of its target is left, and not before', async () => {
    const { payer } = await start()
    const deposit = () => payer.engine.channels()[0]!.deposit
    await settled('a', 700n)
    await settled('b', 50n)
    await rounds(4)
    expect(deposit()).toBe(1_000n)
    await payer.settle('c', 1n)
    await pair!.until('topped up', () => deposit() === 1_751n)
    await rounds(4)
    expect(deposit()).toBe(1_751n)
    expect(payer.engine.channels()).toHaveLength(1)
  }, 60_000)

  it('is opened over an allowance left behind, in a token that changes none', async () => {
    const token = await chain.deployToken('ResetToken')
    const { abi } = testContracts.contracts.ResetToken
    const payer = privateKeyToAddress(ANVIL_KEYS[1]!)
    const call = (functionName: string, args: unknown[]) =>
      encodeFunctionData({ abi: abi as Abi, functionName, args })
    await chain.send(token, call('mint', [payer, 10_000n]))
    await chain.send(token, call('approve', [chain.contract, 7n]), payer)
    const change = { assets: { ETH: { ...ASSET, token, totalBudget: '100000' } } }
    pair = await EnginePair.start(chain, { payer: change, payee: change })
    await settled('a', 700n)
    expect(pair.payer.engine.channels()).toMatchObject([{ state: 'open', deposit: 1_000n }])
    expect(pair.payer.alarms).toEqual([])
  }, 60_000)

  it('is used up before a newer one, and no further deposit is made while any has room', async () => {
    const { payer, payee } = await start('6000')
    await settled('a', 100n)
    await payer.engine.operations.open('peer', 2_000n)
    await pair!.until('both are open', () => {
      return payer.engine.channels().filter(({ state }) => state === 'open').length === 2
    })
    await settled('b', 700n)
    expect(payer.engine.channels().map(({ unclaimed }) => unclaimed)).toEqual([800n, 0n])
    await settled('c', 900n)
    await settled('d', 150n)
    await rounds(2)
    expect(payer.engine.channels()).toMatchObject([
      { deposit: 1_000n, unclaimed: 950n },
      { deposit: 2_000n, unclaimed: 900n },
    ])
    expect(payee.creditedSum).toBe(1_850n)
  }, 60_000)

  it('waits for budget that a closing one holds, tells it once, and goes on when it is back', async () => {
    const { payer, payee } = await start('2000')
    await payer.engine.operations.open('peer', 2_000n)
    await pair!.until('open', () => payer.engine.channels()[0]?.state === 'open')
    await settled('a', 400n)
    const { id } = payer.engine.channels()[0]!
    payer.onMessage = async ({ type }) => {
      if (type === 'requestClose') throw new Error('the peer does not hear of the close')
    }
    await payer.engine.operations.close(id)
    await payer.settle('b', 900n)
    await pair!.until('the alarm', () => payer.alarms.includes('budget'))
    await rounds(4)
    expect(payer.alarms.filter((code) => code === 'budget')).toHaveLength(1)
    expect(payer.ends.has('b')).toBe(false)
    expect(payer.engine.channels()).toHaveLength(1)
    // The payee has had its time: what is left goes back to the payer, and into the budget.
    await chain.anvil.increaseTime(7_300)
    await pair!.until('b settled', () => payer.ends.get('b') === 'settled')
    expect(payer.engine.channels()).toMatchObject([{ state: 'closed', claimed: 400n }, { state: 'open' }])
    expect(payee.creditedSum).toBe(1_300n)
    expect((await payee.engine.statement('peer')).differences).toEqual([])
  }, 60_000)

  it('gives the rest back after its delay, and not before', async () => {
    const { payer, payee } = await start()
    await settled('a', 300n)
    const { id } = payer.engine.channels()[0]!
    const before = await chain.anvil.balance(chain.contract)
    payer.onMessage = async () => {
      throw new Error('the peers do not speak')
    }
    await payer.engine.operations.close(id)
    await pair!.until('claimed', () => payee.engine.channels()[0]!.claimed === 300n)
    await rounds(4)
    expect(payer.engine.channels()[0]).toMatchObject({ state: 'closing' })
    expect(payer.engine.channels()[0]!.expiresAtMs).toBeGreaterThan(Date.now())
    expect(await chain.anvil.balance(chain.contract)).toBe(before - 300n)
    await chain.anvil.increaseTime(7_300)
    await pair!.until('closed', () => payer.engine.channels()[0]!.state === 'closed')
    expect(await chain.anvil.balance(chain.contract)).toBe(before - 1_000n)
    await pair!.until('buried', () => payee.engine.channels()[0]!.state === 'closed')
    expect(payee.alarms).not.toContain('channel-lost')
  }, 60_000)

  it('ends at once when the payee helps: its voucher is paid, the rest is back without a delay', async () => {
    const { payer, payee } = await start()
    await settled('a', 300n)
    const { id } = payer.engine.channels()[0]!
    const before = await chain.anvil.balance(chain.contract)
    const asked: string[] = []
    payer.onMessage = async ({ type }) => void asked.push(type)
    await payer.engine.operations.close(id)
    await pair!.until('closed', () => payer.engine.channels()[0]!.state === 'closed')
    expect(asked).toContain('requestClose')
    expect(await chain.anvil.balance(chain.contract)).toBe(before - 1_000n)
    await pair!.until('buried', () => payee.engine.channels()[0]!.state === 'closed')
    expect(payee.engine.channels()[0]).toMatchObject({ claimed: 300n })
    // What comes next goes through another.
    payer.onMessage = async () => undefined
    await settled('b', 10n)
    expect(payee.creditedSum).toBe(310n)
  }, 60_000)

  it('is not closed for somebody whose channel it is not', async () => {
    const { payer, payee } = await start()
    await settled('a', 300n)
    const channelId = `0x${'ab'.repeat(32)}`
    expect(await pair!.say({ type: 'requestClose', channelId })).toBe('channel-unknown')
    await rounds(2)
    expect(payer.engine.channels()[0]).toMatchObject({ state: 'open' })
    expect(payee.engine.channels()[0]).toMatchObject({ state: 'open' })
  }, 60_000)
})
