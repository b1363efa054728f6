import type { Hex } from 'viem'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { EvmEngineOptions } from '../../../settlement-engines/evm/engine/evm-options.ts'
import { EngineChain, EnginePair, RICH } from './engine-pair.ts'

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

async function start(
  options: { asset?: string; payee?: Partial<EvmEngineOptions>; payer?: Partial<EvmEngineOptions> } = {},
): Promise<EnginePair> {
  const { asset = 'ETH', payee = { acceptTransfers: true }, payer = {} } = options
  pair = await EnginePair.start(chain, { payer, payee, asset, isTransfer: true })
  return pair
}

/** A transaction of the native coin, in a final block. */
async function paid(from: Hex, to: Hex, value: bigint): Promise<Hex> {
  const hash = await chain.send(to, '0x', from, value)
  await chain.anvil.drain()
  await chain.anvil.mine(4)
  return hash
}

describe('transfers of the native coin', () => {
  it('are told to the peer and credited, once each', async () => {
    const { payee, payer } = await start()
    const before = await chain.anvil.balance(payee.address)
    await payer.settle('native-1', 1_000n)
    await payer.settle('native-2', 1_000n)
    await pair!.until('credited', () => payee.creditedSum === 2_000n)
    expect(await chain.anvil.balance(payee.address)).toBe(before + 2_000n)
    expect(payer.ends).toEqual(
      new Map([
        ['native-1', 'settled'],
        ['native-2', 'settled'],
      ]),
    )
    expect([...payee.credits.values()]).toMatchObject([
      { accountId: 'peer', assetCode: 'ETH', quantity: { amount: 1_000n, scale: 18 } },
      { accountId: 'peer', assetCode: 'ETH', quantity: { amount: 1_000n, scale: 18 } },
    ])
  }, 60_000)

  it('are told again after lost messages and restarts of both sides', async () => {
    const { payee, payer } = await start()
    payer.losesAnswers = true
    await payer.settle('native-3', 500n)
    await pair!.until('credited', () => payee.creditedSum === 500n)
    await pair!.until('settled', () => payer.ends.get('native-3') === 'settled')
    await payer.restart()
    await payee.restart()
    payer.losesAnswers = false
    const heard: unknown[] = []
    payer.onMessage = async (message) => void heard.push(message.type)
    await pair!.until('told again', () => heard.length > 0)
    for (let round = 0; round < 5; round++) await pair!.advance()
    expect(heard).toEqual(['payment'])
    expect(payee.credits.size).toBe(1)
  }, 60_000)

  it('alarm the payer when the peer refuses them, and are credited once it does not', async () => {
    const { payee, payer } = await start({ payee: {} })
    await payer.settle('native-5', 600n)
    await pair!.until('the alarm', () => payer.alarms.includes('payment-refused'))
    for (let round = 0; round < 5; round++) await pair!.advance()
    expect(payer.alarms).toEqual(['payment-refused'])
    expect(payee.creditedSum).toBe(0n)
    await payee.restart('ETH', { acceptTransfers: true, fromBlock: 0 })
    payer.aheadMs = 300_000
    await pair!.until('credited', () => payee.creditedSum === 600n)
  }, 60_000)

  it('are credited by a payee that knows its peer by hello alone', async () => {
    pair = await EnginePair.start(chain, { payee: { acceptTransfers: true } })
    const { payee, payer } = pair
    payer.accountOptions = { mode: 'transfer', peerAddress: payee.address }
    await payer.restart()
    await payer.settle('native-4', 300n)
    await pair.until('credited', () => payee.creditedSum === 300n)
  }, 60_000)

  it('are not credited when they are of others, to others, too old, not final or none', async () => {
    const early = await paid((await start()).payer.address, pair!.payee.address, 5n)
    await pair!.stop()
    const { payee, payer } = await start()
    const say = async (hash: Hex) => await pair!.say({ type: 'payment', hash })
    expect(await say(early)).toBe('payment-too-old')
    expect(await say(await paid(RICH, payee.address, 5n))).toBe('payment-foreign')
    expect(await say(await paid(payer.address, RICH, 5n))).toBe('payment-foreign')
    expect(await say(await paid(payer.address, payee.address, 0n))).toBe('payment-foreign')
    expect(await say(`0x${'ab'.repeat(32)}`)).toBe('payment-unknown')
    const fresh = await chain.send(payee.address, '0x', payer.address, 9n)
    expect(await say(fresh)).toBe('payment-unknown')
    await chain.anvil.drain()
    expect(await say(fresh)).toBe('payment-unknown')
    expect(payee.creditedSum).toBe(0n)
    await chain.anvil.mine(4)
    expect(await say(fresh)).toMatchObject({ hash: fresh, amount: '9' })
    expect(await say(fresh)).toMatchObject({ hash: fresh, amount: '9' })
    await payee.engine.tick()
    expect(payee.creditedSum).toBe(9n)
    expect([...payee.credits.keys()]).toEqual([`evm:${chain.anvil.chainId}:${fresh}`])
  }, 60_000)

  it('are not credited twice for a payout of the channel contract or a reverted transaction', async () => {
    const { payee, payer } = await start()
    // The contract takes no plain coin: the transaction is in a block and moved nothing.
    const hash = await chain.anvil.rpc<Hex>('eth_sendTransaction', {
      from: payer.address,
      to: chain.contract,
      value: '0x5',
      gas: '0x186a0',
    })
    await chain.anvil.drain()
    await chain.anvil.mine(4)
    expect(await pair!.say({ type: 'payment', hash })).toBe('payment-foreign')
    expect(payee.creditedSum).toBe(0n)
  }, 60_000)

  it('are refused where plain transfers are not accepted, or the account settles in a token', async () => {
    await start({ payee: {} })
    const hash: Hex = `0x${'ab'.repeat(32)}`
    expect(await pair!.say({ type: 'payment', hash })).toBe('transfers-not-accepted')
    await pair!.stop()
    await start({ asset: 'USD' })
    expect(await pair!.say({ type: 'payment', hash })).toBe('wrong-token')
  }, 60_000)
})

describe('transfers of tokens that come in', () => {
  it('are told as money of nobody when a stranger sends them, and do not stop the others', async () => {
    const { payee, payer } = await start({ asset: 'USD' })
    await chain.mint(RICH, 100n)
    await chain.mint(payer.address, 100n)
    await chain.payTokens(RICH, payee.address, 1n)
    await chain.payTokens(payer.address, payee.address, 20n)
    await pair!.until('credited', () => payee.creditedSum === 21n)
    expect(
      [...payee.credits.values()].map(({ accountId, quantity }) => [accountId, quantity.amount]),
    ).toEqual([
      [undefined, 1n],
      ['peer', 20n],
    ])
    expect((await payee.engine.statement('peer')).credited.amount).toBe(20n)
  }, 60_000)

  it('are left alone when the token is unknown, the amount is nothing, or it is our own', async () => {
    const unknown = await chain.deployToken('TestToken', ['Dust', 'DST', 18])
    const { payee, payer } = await start({ asset: 'USD' })
    await chain.mint(payee.address, 50n, unknown)
    await chain.payTokens(payer.address, payee.address, 0n)
    await chain.mint(payee.address, 30n)
    // The engine takes no note of what it sends to itself.
    await chain.payTokens(payee.address, payee.address, 30n)
    await chain.mint(payer.address, 7n)
    await chain.payTokens(payer.address, payee.address, 7n)
    await pair!.until('credited', () =>
      [...payee.credits.values()].some(({ accountId }) => accountId === 'peer'),
    )
    const amounts = [...payee.credits.values()].map(({ quantity }) => quantity.amount)
    // Newly made tokens are a transfer from nobody.
    expect(amounts).toEqual([30n, 7n])
  }, 60_000)
})

describe('an order that its node forgets for a time', () => {
  it.each(['lands', 'is taken back'])(
    'comes to its end though its transaction %s meanwhile',
    async (fate) => {
      const { payee, payer } = await start()
      const before = await chain.anvil.balance(payee.address)
      const order = { id: 'lost', amount: 500n, isSure: true }
      await chain.anvil.setAutomine(false)
      try {
        await payer.settle('lost', 500n)
        await payer.engine.tick()
        await payer.engine.tick()
        if (fate === 'lands') await chain.anvil.mine()
        payer.handed.delete('lost')
        await payer.restart()
        await payer.engine.tick()
        await payer.engine.tick()
      } finally {
        await chain.anvil.setAutomine(true)
      }
      for (let round = 0; round < 8; round++) await pair!.advance()
      expect(payer.ends.has('lost')).toBe(false)
      payer.handed.set('lost', order)
      await payer.restart()
      const end = await pair!.until('an end', () => payer.ends.get('lost'))
      const moved = (await chain.anvil.balance(payee.address)) - before
      expect([end, moved]).toEqual(fate === 'lands' ? ['settled', 500n] : ['refused', 0n])
      const isCredited = () => [...payee.credits.values()].some(({ quantity }) => quantity.amount === 500n)
      if (fate === 'lands') await pair!.until('credited', isCredited)
    },
    60_000,
  )
})
