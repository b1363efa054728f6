import { type Hex, keccak256, maxUint128, zeroAddress } from 'viem'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ChannelsChain, channelIdOf, DAY_S, GAS } from './channels-chain.ts'

describe('SettlementChannels: open and fund', () => {
  let chain: ChannelsChain
  beforeAll(async () => {
    chain = await ChannelsChain.start()
  })
  afterAll(async () => {
    await chain?.stop()
  })

  const asPayer = (value = 0n) => ({ account: chain.payer.address, value, gas: GAS })

  it('opens a native channel with all its terms and tells them in the event', async () => {
    const terms = chain.terms()
    const { channels, payer } = chain
    const receipt = await chain.mined(channels.write.open([terms, 500n], asPayer(500n)))
    const id = await channels.read.channelId([payer.address, terms])
    expect(chain.events(receipt)).toEqual([
      { eventName: 'ChannelOpened', args: { id, payer: payer.address, ...terms, deposited: 500n } },
    ])
    expect(await channels.read.channelOf([id])).toEqual({
      payer: payer.address,
      payee: terms.payee,
      token: zeroAddress,
      signer: terms.signer,
      settleDelay: DAY_S,
      deposited: 500n,
      claimed: 0n,
      closeAt: 0n,
    })
    expect(await channels.read.stateOf([id])).toBe(1)
    expect(await chain.balance(channels.address)).toBe(500n)
  })

  it('makes the id from chain, contract, payer and every term', async () => {
    const terms = chain.terms()
    const expected = channelIdOf(chain.channels.address, chain.payer.address, terms)
    expect(await chain.channels.read.channelId([chain.payer.address, terms])).toBe(expected)
    const ids = new Set<Hex>()
    const { payer, stranger } = chain
    ids.add(await chain.channels.read.channelId([payer.address, terms]))
    ids.add(await chain.channels.read.channelId([stranger.address, terms]))
    ids.add(await (await chain.another()).read.channelId([payer.address, terms]))
    for (const changes of [
      { payee: stranger.address },
      { token: stranger.address },
      { signer: stranger.address },
      { settleDelay: DAY_S + 1 },
      { salt: keccak256('0x01') },
    ]) {
      ids.add(await chain.channels.read.channelId([payer.address, { ...terms, ...changes }]))
    }
    expect(ids.size).toBe(8)
  })

  it('opens and funds a token channel by allowance, beside native ones', async () => {
    const token = await chain.deploy('TestToken', ['Test', 'TST', 6])
    await chain.endow('TestToken', token, 1_000n)
    const native = await chain.open(7n)
    const before = await chain.balance(chain.channels.address)
    const id = await chain.open(600n, { token })
    const receipt = await chain.mined(chain.channels.write.fund([id, 400n], asPayer()))
    expect(chain.events(receipt)).toEqual([
      {
        eventName: 'ChannelFunded',
        args: { id, from: chain.payer.address, amount: 400n, deposited: 1_000n },
      },
    ])
    expect(await chain.balance(chain.channels.address, token)).toBe(1_000n)
    expect(await chain.balance(chain.channels.address)).toBe(before)
    expect((await chain.channels.read.channelOf([native])).deposited).toBe(7n)
  })

  it('lets anybody fund a native channel', async () => {
    const id = await chain.open(10n)
    const options = { account: chain.stranger.address, value: 5n, gas: GAS }
    const receipt = await chain.mined(chain.channels.write.fund([id, 5n], options))
    expect(chain.events(receipt)[0]).toEqual({
      eventName: 'ChannelFunded',
      args: { id, from: chain.stranger.address, amount: 5n, deposited: 15n },
    })
  })

  it('works with tokens that return nothing', async () => {
    const token = await chain.deploy('SilentToken')
    await chain.endow('SilentToken', token, 100n)
    const id = await chain.open(100n, { token })
    await chain.claim(id, 30n)
    await chain.mined(chain.channels.write.close([id], { account: chain.payee.address, gas: GAS }))
    expect(await chain.balance(chain.payee.address, token)).toBe(30n)
    expect(await chain.balance(chain.payer.address, token)).toBe(70n)
  })

  it('refuses terms that cannot work', async () => {
    const { channels, payer } = chain
    const refused = async (changes: object, amount = 1n, value = amount) =>
      await chain.refusal(channels.simulate.open([chain.terms(changes), amount], asPayer(value)))
    expect(await refused({ payee: zeroAddress })).toBe('BadPayee')
    expect(await refused({ payee: channels.address })).toBe('BadPayee')
    expect(await refused({ payee: payer.address })).toBe('BadPayee')
    expect(await refused({ signer: zeroAddress })).toBe('BadSigner')
    expect(await refused({ settleDelay: 15 * 60 - 1 })).toBe('BadSettleDelay')
    expect(await refused({ settleDelay: 30 * DAY_S + 1 })).toBe('BadSettleDelay')
    expect(await refused({}, 0n)).toBe('ZeroAmount')
    expect(await refused({ token: chain.stranger.address }, 1n, 0n)).toBe('NotAToken')
  })

  it('takes the shortest and the longest delay', async () => {
    await chain.open(1n, { settleDelay: 15 * 60 })
    await chain.open(1n, { settleDelay: 30 * DAY_S })
  })

  it('refuses native coin that is not what the call says', async () => {
    const { channels } = chain
    const token = await chain.deploy('TestToken', ['Test', 'TST', 6])
    await chain.endow('TestToken', token, 10n)
    const open = async (amount: bigint, value: bigint, changes = {}) =>
      await chain.refusal(channels.simulate.open([chain.terms(changes), amount], asPayer(value)))
    expect(await open(10n, 9n)).toBe('WrongValue')
    expect(await open(10n, 11n)).toBe('WrongValue')
    expect(await open(10n, 10n, { token })).toBe('WrongValue')
    const id = await chain.open(10n)
    expect(await chain.refusal(channels.simulate.fund([id, 2n], asPayer(1n)))).toBe('WrongValue')
    const plain = { account: chain.payer.address, to: channels.address, value: 1n, gas: GAS }
    await expect(chain.mined(chain.client.sendTransaction(plain))).rejects.toThrow('revert')
  })

  it('refuses a token transfer without allowance or money', async () => {
    const token = await chain.deploy('TestToken', ['Test', 'TST', 6])
    await chain.endow('TestToken', token, 10n, 5n)
    const open = chain.channels.simulate.open([chain.terms({ token }), 6n], asPayer())
    await expect(open).rejects.toThrow('reverted')
  })

  it('refuses tokens that take a fee from a transfer, and keeps none of them', async () => {
    const token = await chain.deploy('FeeToken')
    await chain.endow('FeeToken', token, 1_000n)
    const open = chain.channels.simulate.open([chain.terms({ token }), 1_000n], asPayer())
    expect(await chain.refusal(open)).toBe('WrongAmountReceived')
    expect(await chain.balance(chain.channels.address, token)).toBe(0n)
  })

  it('never opens an id twice', async () => {
    const terms = chain.terms()
    await chain.mined(chain.channels.write.open([terms, 1n], asPayer(1n)))
    const again = chain.channels.simulate.open([terms, 1n], asPayer(1n))
    expect(await chain.refusal(again)).toBe('ChannelExists')
  })

  it('refuses to fund nothing, an unknown channel, or more than 128 bits', async () => {
    const { channels } = chain
    const unknown = keccak256('0x02')
    expect(await chain.refusal(channels.simulate.fund([unknown, 1n], asPayer(1n)))).toBe('ChannelNotOpen')
    const id = await chain.open(1n)
    expect(await chain.refusal(channels.simulate.fund([id, 0n], asPayer()))).toBe('ZeroAmount')
    const token = await chain.deploy('TestToken', ['Test', 'TST', 0])
    await chain.endow('TestToken', token, maxUint128 + 1n)
    const full = await chain.open(maxUint128, { token })
    expect(await chain.refusal(channels.simulate.fund([full, 1n], asPayer()))).toBe('DepositTooLarge')
    await chain.claim(full, 2n ** 200n)
    expect(await chain.balance(chain.payee.address, token)).toBe(maxUint128)
  })
})
