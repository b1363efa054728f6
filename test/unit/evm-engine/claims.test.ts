import { encodeFunctionData, type Hex, parseAbi, toEventSelector } from 'viem'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { settlementChannelsAbi } from '../../../settlement-engines/evm/contract/settlement-channels-abi.ts'
import { signVoucher } from '../../../settlement-engines/evm/engine/voucher.ts'
import { SigningKey } from '../../../settlement-engines/evm/signing-key.ts'
import { EngineChain, EnginePair, RICH } from './engine-pair.ts'

/** Of three orders, each of which needs a channel of its own: none has room for two. */
const AMOUNTS = [600n, 700n, 800n]
const BOUNDS = { deposit: '1000', maxDepositPerChannel: '5000', totalBudget: '100000' }

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

async function start(payee: { claimAtValue: string; claimAgeMs: number }): Promise<EnginePair> {
  const assetsOf = (claimAtValue: string) => ({
    ETH: { token: 'native', ...BOUNDS, claimAtValue },
    USD: { token: chain.token, ...BOUNDS, claimAtValue },
  })
  pair = await EnginePair.start(chain, {
    payer: { assets: assetsOf('1') },
    payee: { assets: assetsOf(payee.claimAtValue), claimAgeMs: payee.claimAgeMs },
  })
  return pair
}

async function settled(id: string, amount: bigint): Promise<void> {
  await pair!.payer.settle(id, amount)
  await pair!.until(`${id} settled`, () => pair!.payer.ends.get(id) === 'settled')
}

async function rounds(count: number): Promise<void> {
  for (let round = 0; round < count; round++) await pair!.advance()
}

async function sentByPayee(): Promise<number> {
  return await chain.anvil.transactionCount(pair!.payee.address)
}

describe('claims', () => {
  it('wait until a voucher is worth it', async () => {
    const { payee } = await start({ claimAtValue: '500', claimAgeMs: 86_400_000 })
    await settled('a', 499n)
    await rounds(3)
    expect(payee.engine.channels()).toMatchObject([{ claimed: 0n, unclaimed: 499n }])
    await settled('b', 1n)
    await pair!.until('claimed', () => payee.engine.channels()[0]!.claimed === 500n)
    await settled('c', 10n)
    await rounds(3)
    expect(payee.engine.channels()).toMatchObject([{ claimed: 500n, unclaimed: 10n }])
  }, 60_000)

  it('go in when a voucher is old, and its age begins anew', async () => {
    const { payee } = await start({ claimAtValue: '1000000', claimAgeMs: 3_600_000 })
    await settled('a', 5n)
    await rounds(2)
    expect(payee.engine.channels()[0]!.claimed).toBe(0n)
    payee.aheadMs = 3_600_000
    await pair!.until('claimed', () => payee.engine.channels()[0]!.claimed === 5n)
    await settled('b', 5n)
    await rounds(2)
    expect(payee.engine.channels()[0]!.claimed).toBe(5n)
    payee.aheadMs = 7_300_000
    await pair!.until('claimed', () => payee.engine.channels()[0]!.claimed === 10n)
  }, 60_000)

  it('of several channels go in one transaction, beside one that is under way', async () => {
    const { payee, payer } = await start({ claimAtValue: '1000000', claimAgeMs: 86_400_000 })
    const ids: Hex[] = []
    for (const [index, amount] of AMOUNTS.entries()) {
      const { id } = await payer.engine.operations.open('peer', 1_000n)
      ids.push(id as Hex)
      await pair!.until('open', () => payer.engine.channels().every(({ state }) => state === 'open'))
      await settled(`many-${index}`, amount)
    }
    const before = await sentByPayee()
    // An operator hands the second voucher in while all three become due.
    await chain.anvil.setAutomine(false)
    await payee.engine.operations.claim(ids[1]!)
    payee.aheadMs = 86_400_000
    await payee.engine.tick()
    await chain.anvil.setAutomine(true)
    await pair!.until('claimed', () => payee.engine.channels().every(({ unclaimed }) => unclaimed === 0n))
    expect(payee.engine.channels().map(({ claimed }) => claimed)).toEqual(AMOUNTS)
    expect(await sentByPayee()).toBe(before + 2)
    await rounds(3)
    expect(await sentByPayee()).toBe(before + 2)
  }, 60_000)

  it('leave out of a batch what a stranger has handed in first', async () => {
    const { payee, payer } = await start({ claimAtValue: '1000000', claimAgeMs: 86_400_000 })
    for (const [index, amount] of AMOUNTS.entries()) {
      await payer.engine.operations.open('peer', 1_000n)
      await pair!.until('open', () => payer.engine.channels().every(({ state }) => state === 'open'))
      await settled(`rows-${index}`, amount)
    }
    const { id } = payee.engine.channels()[1]!
    const before = await sentByPayee()
    await chain.anvil.setAutomine(false)
    payee.aheadMs = 86_400_000
    await payee.engine.tick()
    await payee.engine.tick()
    const domain = { chainId: chain.anvil.chainId, contract: chain.contract }
    const voucher = { channelId: id as Hex, cumulative: AMOUNTS[1]! }
    const signature = await signVoucher(new SigningKey(payer.claimKey), domain, voucher)
    const data = encodeFunctionData({
      abi: settlementChannelsAbi,
      functionName: 'claim',
      args: [voucher.channelId, voucher.cumulative, signature],
    })
    // Mined before the batch: it offers more.
    const fee = '0x2540be400'
    await chain.anvil.rpc('eth_sendTransaction', {
      ...{ from: RICH, to: chain.contract, data, gas: '0x30d40' },
      ...{ maxFeePerGas: fee, maxPriorityFeePerGas: fee },
    })
    await chain.anvil.setAutomine(true)
    await pair!.until('claimed', () => payee.engine.channels().every(({ unclaimed }) => unclaimed === 0n))
    await rounds(3)
    expect(payee.engine.channels().map(({ claimed }) => claimed)).toEqual(AMOUNTS)
    expect(await sentByPayee()).toBe(before + 1)
    const [skipped] = await chain.anvil.rpc<{ topics: Hex[] }[]>('eth_getLogs', {
      address: chain.contract,
      fromBlock: '0x0',
      topics: [toEventSelector('RowSkipped(uint256,bytes32,uint8)')],
    })
    expect(skipped?.topics[1]).toBe(id)
  }, 60_000)
})

describe('a claim that a token does not let through', () => {
  it('is an alarm: the contract keeps the money for us', async () => {
    const token = await chain.deployToken('BlockingToken')
    const assets = { USD: { token, ...BOUNDS, claimAtValue: '100000' } }
    pair = await EnginePair.start(chain, { payer: { assets }, payee: { assets }, asset: 'USD' })
    const { payee, payer } = pair
    await chain.mint(payer.address, 10_000n, token)
    await settled('a', 400n)
    const { id } = payee.engine.channels()[0]!
    const setManner = async (manner: number) => {
      const abi = parseAbi(['function setManner(address account, uint8 manner)'])
      const args = [payee.address, manner] as const
      await chain.send(token, encodeFunctionData({ abi, functionName: 'setManner', args }))
    }
    await setManner(1)
    await payee.engine.operations.claim(id)
    await pair.until('an alarm', () => payee.alarms.includes('payout-deferred'))
    expect(await chain.tokenBalance(payee.address, token)).toBe(0n)
    await setManner(0)
    const args = [payee.address, token, payee.address] as const
    const data = encodeFunctionData({ abi: settlementChannelsAbi, functionName: 'withdrawOwed', args })
    await chain.send(chain.contract, data)
    await chain.anvil.mine()
    expect(await chain.tokenBalance(payee.address, token)).toBe(400n)
    expect(payer.alarms).not.toContain('payout-deferred')
  }, 60_000)
})
