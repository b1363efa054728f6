import { type Address, keccak256, zeroAddress } from 'viem'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ChannelsChain, DAY_S, GAS } from './channels-chain.ts'

const CLOSED_AT = 2n ** 64n - 1n

describe('SettlementChannels: ends', () => {
  let chain: ChannelsChain
  beforeAll(async () => {
    chain = await ChannelsChain.start()
  })
  afterAll(async () => {
    await chain?.stop()
  })

  const as = (account: Address) => ({ account, gas: GAS })

  it('gives the payer the rest after the delay, and not a second before', async () => {
    const { channels, payer, stranger, client } = chain
    const id = await chain.open(100n)
    await chain.claim(id, 40n)
    const request = await chain.mined(channels.write.requestClose([id], as(payer.address)))
    const closeAt = (await chain.now()) + BigInt(DAY_S)
    expect(chain.events(request)).toEqual([
      { eventName: 'CloseRequested', args: { id, payer: payer.address, closeAt } },
    ])
    expect(await channels.read.stateOf([id])).toBe(2)
    for (const account of [payer.address, stranger.address]) {
      expect(await chain.refusal(channels.simulate.withdraw([id], as(account)))).toBe('TooEarly')
    }
    await client.setNextBlockTimestamp({ timestamp: closeAt - 1n })
    await client.mine({ blocks: 1 })
    expect(await chain.refusal(channels.simulate.withdraw([id], as(payer.address)))).toBe('TooEarly')
    await client.setNextBlockTimestamp({ timestamp: closeAt })
    const before = await chain.balance(payer.address)
    const receipt = await chain.mined(channels.write.withdraw([id], as(stranger.address)))
    expect((await client.getBlock({ blockNumber: receipt.blockNumber })).timestamp).toBe(closeAt)
    expect(chain.events(receipt)).toEqual([
      { eventName: 'ChannelClosed', args: { id, by: stranger.address, claimed: 40n, rest: 60n } },
    ])
    expect(await chain.balance(payer.address)).toBe(before + 60n)
  })

  it('takes a close request back, and a new one starts the delay again', async () => {
    const { channels, payer } = chain
    const id = await chain.open(100n)
    await chain.mined(channels.write.requestClose([id], as(payer.address)))
    await chain.pass(DAY_S / 2)
    const receipt = await chain.mined(channels.write.cancelClose([id], as(payer.address)))
    expect(chain.events(receipt)).toEqual([
      { eventName: 'CloseCancelled', args: { id, payer: payer.address } },
    ])
    expect(await channels.read.stateOf([id])).toBe(1)
    await chain.pass(DAY_S)
    expect(await chain.refusal(channels.simulate.withdraw([id], as(payer.address)))).toBe('ChannelNotClosing')
    await chain.mined(channels.write.requestClose([id], as(payer.address)))
    expect((await channels.read.channelOf([id])).closeAt).toBe((await chain.now()) + BigInt(DAY_S))
  })

  it('does not let a second request move the time', async () => {
    const { channels, payer } = chain
    const id = await chain.open(1n)
    await chain.mined(channels.write.requestClose([id], as(payer.address)))
    expect(await chain.refusal(channels.simulate.requestClose([id], as(payer.address)))).toBe(
      'ChannelClosing',
    )
  })

  it('takes no money while closing', async () => {
    const { channels, payer } = chain
    const id = await chain.open(1n)
    await chain.mined(channels.write.requestClose([id], as(payer.address)))
    const fund = channels.simulate.fund([id, 1n], { ...as(payer.address), value: 1n })
    expect(await chain.refusal(fund)).toBe('ChannelClosing')
  })

  it('lets the payee end it at once, open or closing, with and without a voucher', async () => {
    const { channels, payer, payee } = chain
    const plain = await chain.open(100n)
    const before = await chain.balance(payer.address)
    const receipt = await chain.mined(channels.write.close([plain], as(payee.address)))
    expect(chain.events(receipt)).toEqual([
      { eventName: 'ChannelClosed', args: { id: plain, by: payee.address, claimed: 0n, rest: 100n } },
    ])
    expect(await chain.balance(payer.address)).toBe(before + 100n)

    const token = await chain.deploy('TestToken', ['Test', 'TST', 6])
    await chain.endow('TestToken', token, 100n)
    const id = await chain.open(100n, { token })
    await chain.claim(id, 10n)
    await chain.mined(channels.write.requestClose([id], as(payer.address)))
    const voucher = await chain.voucher(id, 35n)
    const last = await chain.mined(channels.write.closeWithVoucher([id, 35n, voucher], as(payee.address)))
    expect(chain.events(last).map(({ eventName }) => eventName)).toEqual(['Claimed', 'ChannelClosed'])
    expect(await chain.balance(payee.address, token)).toBe(35n)
    expect(await chain.balance(payer.address, token)).toBe(65n)
    expect(await chain.balance(channels.address, token)).toBe(0n)
  })

  it('ends a channel with an old voucher as without one, and refuses a bad one', async () => {
    const { channels, payee } = chain
    const id = await chain.open(100n)
    await chain.claim(id, 50n)
    const bad = await chain.voucher(id, 60n, chain.payee)
    const refused = channels.simulate.closeWithVoucher([id, 60n, bad], as(payee.address))
    expect(await chain.refusal(refused)).toBe('BadVoucher')
    const old = await chain.voucher(id, 20n)
    const receipt = await chain.mined(channels.write.closeWithVoucher([id, 20n, old], as(payee.address)))
    expect(chain.events(receipt)).toEqual([
      { eventName: 'ChannelClosed', args: { id, by: payee.address, claimed: 50n, rest: 50n } },
    ])
  })

  it('closes a drained channel without a payout', async () => {
    const { channels, payee } = chain
    const id = await chain.open(5n)
    await chain.claim(id, 5n)
    const receipt = await chain.mined(channels.write.close([id], as(payee.address)))
    expect(chain.events(receipt)[0]?.args).toMatchObject({ claimed: 5n, rest: 0n })
  })

  it('lets only the right party act', async () => {
    const { channels, payer, payee, signer, stranger } = chain
    const id = await chain.open(100n)
    const voucher = await chain.voucher(id, 1n)
    for (const { address } of [payee, signer, stranger]) {
      expect(await chain.refusal(channels.simulate.requestClose([id], as(address)))).toBe('NotPayer')
      expect(await chain.refusal(channels.simulate.cancelClose([id], as(address)))).toBe('NotPayer')
    }
    for (const { address } of [payer, signer, stranger]) {
      expect(await chain.refusal(channels.simulate.close([id], as(address)))).toBe('NotPayee')
      const withVoucher = channels.simulate.closeWithVoucher([id, 1n, voucher], as(address))
      expect(await chain.refusal(withVoucher)).toBe('NotPayee')
    }
    expect(await chain.refusal(channels.simulate.cancelClose([id], as(payer.address)))).toBe(
      'ChannelNotClosing',
    )
    expect(await chain.refusal(channels.simulate.withdraw([id], as(payer.address)))).toBe('ChannelNotClosing')
  })

  it('leaves a tombstone: a closed id takes no call and never opens again', async () => {
    const { channels, payer, payee } = chain
    const terms = chain.terms()
    const open = { ...as(payer.address), value: 100n }
    await chain.mined(channels.write.open([terms, 100n], open))
    const id = await channels.read.channelId([payer.address, terms])
    await chain.claim(id, 30n)
    const voucher = await chain.voucher(id, 60n)
    await chain.mined(channels.write.close([id], as(payee.address)))
    expect(await channels.read.stateOf([id])).toBe(3)
    expect(await channels.read.channelOf([id])).toEqual({
      payer: payer.address,
      closeAt: CLOSED_AT,
      settleDelay: DAY_S,
      payee: zeroAddress,
      token: zeroAddress,
      signer: zeroAddress,
      deposited: 100n,
      claimed: 30n,
    })
    expect(await channels.read.claimable([id, 60n])).toBe(0n)
    expect(await chain.refusal(channels.simulate.open([terms, 100n], open))).toBe('ChannelExists')
    for (const refused of [
      () => channels.simulate.claim([id, 60n, voucher], as(payee.address)),
      () => channels.simulate.fund([id, 1n], { ...as(payer.address), value: 1n }),
      () => channels.simulate.requestClose([id], as(payer.address)),
      () => channels.simulate.cancelClose([id], as(payer.address)),
      () => channels.simulate.withdraw([id], as(payer.address)),
      () => channels.simulate.close([id], as(payee.address)),
      () => channels.simulate.closeWithVoucher([id, 60n, voucher], as(payee.address)),
    ]) {
      expect(await chain.refusal(refused())).toBe('ChannelNotOpen')
    }
  })

  it('refuses to end what never was', async () => {
    const id = keccak256('0x0a')
    for (const refused of [
      () => chain.channels.simulate.requestClose([id], as(chain.payer.address)),
      () => chain.channels.simulate.withdraw([id], as(chain.payer.address)),
      () => chain.channels.simulate.close([id], as(chain.payee.address)),
    ]) {
      expect(await chain.refusal(refused())).toBe('ChannelNotOpen')
    }
  })
})
