import { createPublicClient, encodeFunctionData, getContract, type Hex, http, toHex, zeroAddress } from 'viem'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { settlementChannelsAbi } from '../../../settlement-engines/evm/contract/settlement-channels-abi.ts'
import type { EvmEngineOptions } from '../../../settlement-engines/evm/engine/evm-options.ts'
import { signVoucher } from '../../../settlement-engines/evm/engine/voucher.ts'
import { SigningKey } from '../../../settlement-engines/evm/signing-key.ts'
import { EngineChain, EnginePair } from './engine-pair.ts'

/** Deeper than the finality that the sides chose. */
const REORG_DEPTH = 6
const FAR_BLOCKS = 40
/** Longer than a purpose that would revert may wait. */
const PATIENCE_MS = 11 * 60_000
const REVERTS: Hex = '0x60006000fd'
/** After this time a transaction is sent again. */
const REBROADCAST_MS = 31_000

let chain: EngineChain
let pair: EnginePair

beforeEach(async () => {
  chain = await EngineChain.start()
})
afterEach(async () => {
  await pair.stop()
  await chain.anvil.stop()
})

async function start(
  payer: Partial<EvmEngineOptions>,
  payee: Partial<EvmEngineOptions>,
  asset = 'ETH',
): Promise<void> {
  pair = await EnginePair.start(chain, { payer, payee, asset })
}

async function pay(id: string, amount: bigint): Promise<void> {
  await pair.payer.settle(id, amount)
  await pair.until(`${id} settled`, () => pair.payer.ends.get(id) === 'settled')
}

async function claim(channelId: Hex, cumulative: bigint): Promise<unknown> {
  const domain = { chainId: chain.anvil.chainId, contract: chain.contract }
  const key = new SigningKey(pair.payer.claimKey)
  const signature = await signVoucher(key, domain, { channelId, cumulative })
  return await pair.say({ type: 'claim', channelId, cumulative: String(cumulative), signature })
}

describe('a deposit that a reorg takes away', () => {
  const shallow = { finality: { kind: 'blocks', depth: 1 } } as const

  it('has credited nothing while it is not final for the payee', async () => {
    await start(
      { finality: { kind: 'blocks', depth: 0 } },
      { finality: { kind: 'blocks', depth: FAR_BLOCKS } },
    )
    await pair.payer.settle('a', 500n)
    await pair.until('a channel', () => pair.payer.engine.channels()[0]?.state === 'open')
    await pair.advance()
    await chain.anvil.reorg(REORG_DEPTH)
    await pair.payee.engine.tick()
    expect(pair.payee.creditedSum).toBe(0n)
    expect(pair.payee.engine.channels()).toEqual([])
  }, 60_000)

  it('stops all further credit of the account until it is back, though another channel is good', async () => {
    await start(shallow, shallow)
    await pay('a', 500n)
    await pair.until('credited', () => pair.payee.creditedSum === 500n)
    const { id } = pair.payee.engine.channels()[0]!
    await chain.anvil.mine(2)
    await pair.payee.engine.tick()
    await chain.anvil.reorg((await chain.anvil.blockNumber()) - (await blockBeforeOpening()))
    await pair.payee.engine.tick()
    expect(pair.payee.alarms).toContain('deposit-gone')
    expect(await claim(id as Hex, 600n)).toBe('channel-unknown')
    const other = await openChannel()
    expect(await claim(other, 10n)).toBe('deposit-missing')
    expect(pair.payee.creditedSum).toBe(500n)
    expect(pair.payee.engine.channels()[0]).toMatchObject({ deposit: 0n })
  }, 60_000)

  it('is sent again by the payer, and counts again', async () => {
    await start(shallow, shallow)
    await pay('a', 500n)
    await pair.until('credited', () => pair.payee.creditedSum === 500n)
    await chain.anvil.mine(2)
    await pair.payee.engine.tick()
    await chain.anvil.reorg((await chain.anvil.blockNumber()) - (await blockBeforeOpening()))
    await pair.payee.engine.tick()
    expect(pair.payee.alarms).toContain('deposit-gone')
    await pair.payer.settle('b', 30n)
    await pair.until('paid after all', () => pair.payee.creditedSum === 530n)
    expect(pair.payer.alarms).toContain('final-transaction-missing')
    expect(pair.payee.engine.channels()[0]).toMatchObject({ deposit: 1_000_000n })
  }, 60_000)

  async function blockBeforeOpening(): Promise<number> {
    const topics = null
    const logs = await chain.anvil.rpc<{ blockNumber: Hex }[]>('eth_getLogs', {
      address: chain.contract,
      fromBlock: '0x0',
      topics,
    })
    return Number(logs[0]!.blockNumber) - 1
  }

  /** By the payer, past its engine. */
  async function openChannel(): Promise<Hex> {
    const signer = new SigningKey(pair.payer.claimKey).address
    const payee = pair.payee.address
    const terms = { payee, token: zeroAddress, signer, settleDelay: 7_200, salt: toHex(1, { size: 32 }) }
    const args = [terms, 1_000n] as const
    const data = encodeFunctionData({ abi: settlementChannelsAbi, functionName: 'open', args })
    await chain.send(chain.contract, data, pair.payer.address, 1_000n)
    await chain.anvil.mine(4)
    return await contract().read.channelId([pair.payer.address, terms])
  }
})

describe('a payer that closes with a voucher outstanding', () => {
  it('is answered at the newest block, long before the request is final', async () => {
    await start({}, { finality: { kind: 'blocks', depth: FAR_BLOCKS } })
    await pair.payer.settle('a', 500n)
    await pair.until('a channel', () => pair.payer.engine.channels()[0]?.state === 'open')
    await chain.anvil.mine(FAR_BLOCKS)
    pair.payer.aheadMs += PATIENCE_MS
    await pair.until('credited', () => pair.payee.creditedSum === 500n)
    const { id } = pair.payee.engine.channels()[0]!
    const args = [id as Hex] as const
    const data = encodeFunctionData({ abi: settlementChannelsAbi, functionName: 'requestClose', args })
    await chain.send(chain.contract, data, pair.payer.address)
    const requested = await chain.anvil.blockNumber()
    for (let round = 0; round < 4; round++) {
      await chain.anvil.mine()
      await pair.payee.engine.tick()
    }
    expect((await contract().read.channelOf([id as Hex])).claimed).toBe(500n)
    expect((await chain.anvil.blockNumber()) - requested).toBeLessThan(FAR_BLOCKS)
    expect(pair.payee.alarms).toContain('peer-closing')
  }, 60_000)
})

describe('a payer that asks for a close while ours is on its way', () => {
  it('is no alarm for the claim that comes after our close', async () => {
    await start({}, {})
    const { payee, payer } = pair
    await pay('a', 500n)
    await pair.until('credited', () => payee.creditedSum === 500n)
    const { id } = payee.engine.channels()[0]!
    await chain.anvil.setAutomine(false)
    await payee.engine.operations.close(id)
    await payee.engine.tick()
    // The pool forgets our close until it is sent again: the payer's request is mined before.
    await chain.anvil.rpc('anvil_dropAllTransactions')
    const args = [id as Hex] as const
    const data = encodeFunctionData({ abi: settlementChannelsAbi, functionName: 'requestClose', args })
    await chain.send(chain.contract, data, payer.address)
    await chain.anvil.mine()
    await payee.engine.tick()
    await payee.engine.tick()
    payee.aheadMs += REBROADCAST_MS
    await payee.engine.tick()
    expect(Number((await chain.anvil.rpc<{ pending: string }>('txpool_status')).pending)).toBe(2)
    await chain.anvil.setAutomine(true)
    await pair.until('closed', () => payee.engine.channels()[0]!.state === 'closed')
    await pair.until('all is final', () => payee.engine.trouble() === undefined)
    for (let round = 0; round < 4; round++) await pair.advance()
    expect(await chain.anvil.transactionCount(payee.address)).toBe(2)
    expect(payee.alarms).toEqual([])
    expect(payee.engine.channels()[0]).toMatchObject({ claimed: 500n })
  }, 60_000)
})

describe('a voucher that comes when its channel is closing', () => {
  it('credits nothing until the chain has paid it, and then its account, over a restart too', async () => {
    await start({}, {})
    await pay('a', 500n)
    await pair.until('credited', () => pair.payee.creditedSum === 500n)
    const { id } = pair.payee.engine.channels()[0]!
    const data = encodeFunctionData({
      abi: settlementChannelsAbi,
      functionName: 'requestClose',
      args: [id as Hex],
    })
    await chain.send(chain.contract, data, pair.payer.address)
    await chain.anvil.mine()
    await pair.payee.engine.tick()
    expect(await claim(id as Hex, 700n)).toBe('channel-closing')
    for (let round = 0; round < 2; round++) {
      await pair.payee.engine.tick()
      await chain.anvil.mine()
    }
    await pair.payee.restart()
    expect(pair.payee.creditedSum).toBe(500n)
    await pair.until('paid and credited', () => pair.payee.creditedSum === 700n)
    expect([...pair.payee.credits.values()].at(-1)).toMatchObject({ accountId: 'peer' })
  }, 60_000)

  it('is not acknowledged, however often it is told, and is paid through another channel', async () => {
    await start({}, {})
    const { payee, payer } = pair
    await pay('a', 500n)
    await pair.until('credited', () => payee.creditedSum === 500n)
    const { id } = payee.engine.channels()[0]!
    // The payer looks at final blocks: it does not see the close as long as none are mined.
    await payee.engine.operations.close(id)
    await payer.settle('b', 300n)
    for (let round = 0; round < 3; round++) {
      payer.aheadMs += PATIENCE_MS
      await payer.engine.tick()
    }
    expect(await claim(id as Hex, 800n)).toBe('channel-closing')
    expect(await pair.say({ type: 'state' })).toMatchObject({
      channels: [{ channelId: id, cumulative: '800', credited: '500' }],
    })
    await payer.restart()
    await payer.engine.tick()
    await payer.engine.tick()
    expect(payer.ends.has('b')).toBe(false)
    expect(payee.creditedSum).toBe(500n)
    await pair.until('paid', () => {
      payer.aheadMs += PATIENCE_MS
      return payer.ends.get('b') === 'settled'
    })
    expect(payee.creditedSum).toBe(800n)
    expect(payee.engine.channels()).toMatchObject([
      { id, state: 'closed', claimed: 500n },
      { state: 'open', claimed: 0n, unclaimed: 300n },
    ])
    for (const { engine } of [payer, payee]) {
      expect((await engine.statement('peer')).differences).toEqual([])
    }
  }, 60_000)
})

describe('what would revert', () => {
  it('fails as a deposit after some patience, and is made anew', async () => {
    await start({}, {}, 'USD')
    await pair.payer.settle('a', 500n)
    await pair.until('an alarm', () => pair.payer.alarms.includes('would-revert'))
    expect(pair.payer.alarms).not.toContain('deposit-failed')
    pair.payer.aheadMs += PATIENCE_MS
    await pair.until('given up', () => pair.payer.alarms.includes('deposit-failed'))
    await pair.until('buried', () => pair.payer.engine.channels()[0]!.state === 'closed')
    expect(pair.payer.ends.has('a')).toBe(false)
    await chain.mint(pair.payer.address, 5_000_000n)
    pair.payer.aheadMs += PATIENCE_MS
    await pair.until('settled', () => pair.payer.ends.get('a') === 'settled')
    await pair.until('credited', () => pair.payee.creditedSum === 500n)
  }, 60_000)

  it('is tried again as a claim, with an alarm each time', async () => {
    await start({}, {}, 'USD')
    await chain.mint(pair.payer.address, 5_000_000n)
    await pay('a', 500n)
    await pair.until('credited', () => pair.payee.creditedSum === 500n)
    const { id } = pair.payee.engine.channels()[0]!
    const code = await chain.anvil.rpc<Hex>('eth_getCode', chain.contract, 'latest')
    await chain.anvil.setCode(chain.contract, REVERTS)
    await pair.payee.engine.operations.claim(id)
    await pair.until('an alarm', () => pair.payee.alarms.includes('would-revert'))
    pair.payee.aheadMs += PATIENCE_MS
    await pair.until('failed', () => pair.payee.alarms.includes('claim-failed'))
    await chain.anvil.setCode(chain.contract, code)
    await pair.payee.engine.operations.claim(id)
    await pair.until('claimed', () => pair.payee.engine.channels()[0]!.claimed === 500n)
    expect(await chain.tokenBalance(pair.payee.address)).toBe(500n)
  }, 60_000)

  it('refuses an order of a plain transfer of which nothing was ever sent', async () => {
    await start({}, {}, 'USD')
    pair.payer.accountOptions = { mode: 'transfer', peerAddress: pair.payee.address }
    await pair.payer.restart('USD')
    const before = await chain.anvil.transactionCount(pair.payer.address)
    await pair.payer.settle('a', 500n)
    await pair.until('an alarm', () => pair.payer.alarms.includes('would-revert'))
    pair.payer.aheadMs += PATIENCE_MS
    await pair.until('refused', () => pair.payer.ends.get('a') === 'refused')
    expect(await chain.anvil.transactionCount(pair.payer.address)).toBe(before)
    expect(await chain.tokenBalance(pair.payee.address)).toBe(0n)
  }, 60_000)
})

function contract() {
  const client = createPublicClient({ transport: http(chain.anvil.url) })
  return getContract({ abi: settlementChannelsAbi, address: chain.contract, client })
}
