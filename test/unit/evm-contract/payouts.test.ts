import { type Address, encodeFunctionData, type Hex, zeroAddress } from 'viem'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { settlementChannelsAbi } from '../../../settlement-engines/evm/contract/settlement-channels-abi.ts'
import { ChannelsChain, DAY_S, GAS } from './channels-chain.ts'

const RECEIVER = { take: 0, revert: 1, burnGas: 2, returnBomb: 3, takeWithEffort: 5 } as const
const TOKEN = { pay: 0, revert: 1, returnFalse: 2, burnGas: 3, returnBomb: 4 } as const

describe('SettlementChannels: payouts', () => {
  let chain: ChannelsChain
  beforeAll(async () => {
    chain = await ChannelsChain.start()
  })
  afterAll(async () => {
    await chain?.stop()
  })

  const as = (account: Address) => ({ account, gas: GAS })
  const owed = async (account: Address, token: Address = zeroAddress) =>
    await chain.channels.read.owed([account, token])

  async function receiver(manner: number): Promise<Address> {
    const address = await chain.deploy('HostileReceiver')
    await chain.call(chain.payer.address, 'HostileReceiver', address, 'setManner', [manner])
    return address
  }

  /** Has the receiver make a call to the contract. */
  async function through(address: Address, data: Hex, value = 0n) {
    const args = [chain.channels.address, value, data]
    return await chain.call(chain.stranger.address, 'HostileReceiver', address, 'execute', args, value)
  }

  for (const [manner, code] of Object.entries(RECEIVER)) {
    if (manner === 'take') continue
    it(`keeps what a payee does not take (${manner}), and the payer still gets the rest`, async () => {
      const { channels, payer, stranger } = chain
      const payee = await receiver(code)
      const id = await chain.open(100n, { payee })
      const receipt = await chain.claim(id, 40n)
      expect(chain.events(receipt).map(({ eventName }) => eventName)).toEqual(['Claimed', 'PayoutDeferred'])
      expect(await owed(payee)).toBe(40n)
      await chain.mined(channels.write.requestClose([id], as(payer.address)))
      await chain.pass(DAY_S)
      const before = await chain.balance(payer.address)
      await chain.mined(channels.write.withdraw([id], as(stranger.address)))
      expect(await chain.balance(payer.address)).toBe(before + 60n)
      expect(await owed(payee)).toBe(40n)
    })
  }

  it('keeps the rest of a payer that does not take it, and the payee is still paid', async () => {
    const payer = await receiver(RECEIVER.take)
    const terms = chain.terms()
    const data = encodeFunctionData({ abi: settlementChannelsAbi, functionName: 'open', args: [terms, 100n] })
    await through(payer, data, 100n)
    await chain.call(chain.stranger.address, 'HostileReceiver', payer, 'setManner', [RECEIVER.revert])
    const id = await chain.channels.read.channelId([payer, terms])
    const voucher = await chain.voucher(id, 30n)
    await chain.mined(chain.channels.write.closeWithVoucher([id, 30n, voucher], as(chain.payee.address)))
    expect(await owed(payer)).toBe(70n)
    expect(await owed(chain.payee.address)).toBe(0n)
  })

  it('pays what is owed once its owner can take it, whoever asks, with all gas', async () => {
    const { channels, stranger } = chain
    const payee = await receiver(RECEIVER.takeWithEffort)
    const id = await chain.open(100n, { payee })
    await chain.claim(id, 40n)
    await chain.claim(id, 55n)
    expect(await owed(payee)).toBe(55n)
    const withdraw = [payee, zeroAddress, payee] as const
    const receipt = await chain.mined(channels.write.withdrawOwed(withdraw, as(stranger.address)))
    expect(chain.events(receipt)).toEqual([
      { eventName: 'OwedWithdrawn', args: { account: payee, token: zeroAddress, to: payee, amount: 55n } },
    ])
    expect(await chain.balance(payee)).toBe(55n)
    expect(await owed(payee)).toBe(0n)
    expect(await chain.refusal(channels.simulate.withdrawOwed(withdraw, as(stranger.address)))).toBe(
      'NothingOwed',
    )
  })

  it('sends owed native coin elsewhere for its owner alone', async () => {
    const { channels, stranger, signer } = chain
    const payee = await receiver(RECEIVER.revert)
    const id = await chain.open(100n, { payee })
    await chain.claim(id, 25n)
    const elsewhere = [payee, zeroAddress, signer.address] as const
    expect(await chain.refusal(channels.simulate.withdrawOwed(elsewhere, as(stranger.address)))).toBe(
      'BadRecipient',
    )
    const nowhere = [payee, zeroAddress, zeroAddress] as const
    expect(await chain.refusal(channels.simulate.withdrawOwed(nowhere, as(payee)))).toBe('BadRecipient')
    const self = [payee, zeroAddress, payee] as const
    expect(await chain.refusal(channels.simulate.withdrawOwed(self, as(stranger.address)))).toBe(
      'PayoutFailed',
    )
    const before = await chain.balance(signer.address)
    await through(
      payee,
      encodeFunctionData({ abi: settlementChannelsAbi, functionName: 'withdrawOwed', args: elsewhere }),
    )
    expect(await chain.balance(signer.address)).toBe(before + 25n)
  })

  for (const [manner, code] of Object.entries(TOKEN)) {
    if (manner === 'pay') continue
    it(`keeps tokens that cannot be sent (${manner}), for their owner alone`, async () => {
      const { channels, payee, payer, stranger } = chain
      const token = await chain.deploy('BlockingToken')
      await chain.endow('BlockingToken', token, 100n)
      const id = await chain.open(100n, { token })
      await chain.call(stranger.address, 'BlockingToken', token, 'setManner', [payee.address, code])
      const receipt = await chain.claim(id, 30n)
      expect(chain.events(receipt).map(({ eventName }) => eventName)).toEqual(['Claimed', 'PayoutDeferred'])
      await chain.mined(channels.write.close([id], as(payee.address)))
      expect(await chain.balance(payer.address, token)).toBe(70n)
      expect(await owed(payee.address, token)).toBe(30n)
      const elsewhere = channels.simulate.withdrawOwed(
        [payee.address, token, chain.signer.address],
        as(payee.address),
      )
      expect(await chain.refusal(elsewhere)).toBe('BadRecipient')
      const self = [payee.address, token, payee.address] as const
      await expect(channels.simulate.withdrawOwed(self, as(stranger.address))).rejects.toThrow()
      expect(await owed(payee.address, token)).toBe(30n)
      await chain.call(stranger.address, 'BlockingToken', token, 'setManner', [payee.address, TOKEN.pay])
      await chain.mined(channels.write.withdrawOwed(self, as(stranger.address)))
      expect(await chain.balance(payee.address, token)).toBe(30n)
      expect(await chain.balance(channels.address, token)).toBe(0n)
    })
  }

  it('cannot be made to defer a payout by sending little gas', async () => {
    const payee = await receiver(RECEIVER.take)
    const id = await chain.open(100n, { payee })
    let paid = 0
    let cumulative = 0n
    for (let gas = 40_000n; gas <= 140_000n; gas += 2_000n) {
      // Each claim has something new to pay, so that none needs the chain set back.
      cumulative += 1n
      const voucher = await chain.voucher(id, cumulative)
      const call = { account: chain.stranger.address, gas }
      const hash = await chain.channels.write.claim([id, cumulative, voucher], call).catch(() => undefined)
      if (hash === undefined) continue
      const receipt = await chain.client.waitForTransactionReceipt({ hash })
      const names = chain.events(receipt).map(({ eventName }) => eventName)
      expect(names, `gas ${gas}`).toEqual(receipt.status === 'success' ? ['Claimed'] : [])
      if (receipt.status === 'success') paid++
    }
    expect(paid).toBeGreaterThan(10)
  })

  it('takes no call from within a payout in the native coin', async () => {
    const payee = await receiver(RECEIVER.take)
    const id = await chain.open(100n, { payee })
    const again = await chain.voucher(id, 20n)
    const data = encodeFunctionData({
      abi: settlementChannelsAbi,
      functionName: 'claim',
      args: [id, 20n, again],
    })
    await chain.call(chain.stranger.address, 'HostileReceiver', payee, 'setCall', [
      chain.channels.address,
      data,
    ])
    await chain.claim(id, 10n)
    expect(await chain.look('HostileReceiver', payee, 'called')).toBe(true)
    expect(await chain.look('HostileReceiver', payee, 'calledWell')).toBe(false)
    expect((await chain.channels.read.channelOf([id])).claimed).toBe(10n)
    expect(await chain.balance(payee)).toBe(10n)
  })

  it('takes no call from within the payout of what is owed, which has all gas', async () => {
    const payee = await receiver(RECEIVER.revert)
    const id = await chain.open(100n, { payee })
    await chain.claim(id, 10n)
    const data = encodeFunctionData({
      abi: settlementChannelsAbi,
      functionName: 'withdrawOwed',
      args: [payee, zeroAddress, payee],
    })
    await chain.call(chain.stranger.address, 'HostileReceiver', payee, 'setCall', [
      chain.channels.address,
      data,
    ])
    await chain.mined(
      chain.channels.write.withdrawOwed([payee, zeroAddress, payee], as(chain.stranger.address)),
    )
    expect(await chain.look('HostileReceiver', payee, 'called')).toBe(true)
    expect(await chain.look('HostileReceiver', payee, 'calledWell')).toBe(false)
    expect(await chain.balance(payee)).toBe(10n)
  })

  it('takes no call from within a token, on the way in or out', async () => {
    const { channels, payer, payee, stranger } = chain
    const token = await chain.deploy('HookToken')
    await chain.endow('HookToken', token, 1_000n)
    const victim = await chain.open(100n)
    const voucher = await chain.voucher(victim, 50n)
    const attempts = [
      encodeFunctionData({ abi: settlementChannelsAbi, functionName: 'claim', args: [victim, 50n, voucher] }),
      encodeFunctionData({ abi: settlementChannelsAbi, functionName: 'claimMany', args: [[]] }),
      encodeFunctionData({
        abi: settlementChannelsAbi,
        functionName: 'open',
        args: [chain.terms({ token }), 1n],
      }),
    ]
    for (const data of attempts) {
      await chain.call(stranger.address, 'HookToken', token, 'setHook', [channels.address, data])
      const id = await chain.open(100n, { token })
      await chain.claim(id, 40n)
      await chain.mined(channels.write.close([id], as(payee.address)))
    }
    expect(await chain.look('HookToken', token, 'calls')).toBe(9n)
    expect(await chain.look('HookToken', token, 'successes')).toBe(0n)
    expect((await channels.read.channelOf([victim])).claimed).toBe(0n)
    expect(await chain.balance(payee.address, token)).toBe(120n)
    expect(await chain.balance(payer.address, token)).toBe(880n)
  })
})
