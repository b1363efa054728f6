import { type Address, type Hex, keccak256, zeroAddress } from 'viem'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ChannelsChain, GAS } from './channels-chain.ts'

describe('SettlementChannels: claimMany', () => {
  let chain: ChannelsChain
  let token: Address
  beforeAll(async () => {
    chain = await ChannelsChain.start()
    token = await chain.deploy('TestToken', ['Test', 'TST', 6])
    await chain.endow('TestToken', token, 10_000n)
  })
  afterAll(async () => {
    await chain?.stop()
  })

  const asStranger = () => ({ account: chain.stranger.address, gas: GAS })
  const row = async (id: Hex, cumulative: bigint) => ({
    id,
    cumulative,
    signature: await chain.voucher(id, cumulative),
  })

  it('pays every good row and reports every other one', async () => {
    const { channels, payee } = chain
    const native = await chain.open(100n)
    const first = await chain.open(100n, { token })
    const second = await chain.open(50n, { token })
    const closed = await chain.open(100n)
    await chain.mined(channels.write.close([closed], { account: payee.address, gas: GAS }))
    const unknown = keccak256('0x07')
    const rows = [
      await row(native, 10n),
      await row(unknown, 1n),
      await row(first, 20n),
      { id: first, cumulative: 90n, signature: '0x1234' as const },
      await row(first, 20n),
      await row(second, 80n),
      await row(closed, 5n),
      { ...(await row(native, 15n)), cumulative: 16n },
      await row(first, 25n),
    ]
    const nativeBefore = await chain.balance(payee.address)
    const { result } = await channels.simulate.claimMany([rows], asStranger())
    expect(result).toEqual([10n, 0n, 20n, 0n, 0n, 50n, 0n, 0n, 5n])
    const receipt = await chain.mined(channels.write.claimMany([rows], asStranger()))
    const events = chain.events(receipt)
    expect(events.filter(({ eventName }) => eventName === 'RowSkipped').map(({ args }) => args)).toEqual([
      { row: 1n, id: unknown, fault: 1 },
      { row: 3n, id: first, fault: 2 },
      { row: 4n, id: first, fault: 3 },
      { row: 6n, id: closed, fault: 1 },
      { row: 7n, id: native, fault: 2 },
    ])
    expect(events.filter(({ eventName }) => eventName === 'Claimed')).toHaveLength(4)
    expect(await chain.balance(payee.address)).toBe(nativeBefore + 10n)
    expect(await chain.balance(payee.address, token)).toBe(75n)
  })

  it('pays neighbouring rows of one payee and token in one transfer', async () => {
    const ids = [
      await chain.open(10n, { token }),
      await chain.open(10n, { token }),
      await chain.open(10n, { token }),
    ]
    const rows = await Promise.all(ids.map((id) => row(id, 7n)))
    const before = await chain.balance(chain.payee.address, token)
    const receipt = await chain.mined(chain.channels.write.claimMany([rows], asStranger()))
    expect(receipt.logs.filter((log) => log.address.toLowerCase() === token.toLowerCase())).toHaveLength(1)
    expect(await chain.balance(chain.payee.address, token)).toBe(before + 21n)
  })

  it('takes an empty batch and a batch of nothing but bad rows', async () => {
    expect((await chain.mined(chain.channels.write.claimMany([[]], asStranger()))).logs).toEqual([])
    const rows = [
      await row(keccak256('0x08'), 1n),
      { id: keccak256('0x09'), cumulative: 1n, signature: '0x' as const },
    ]
    const receipt = await chain.mined(chain.channels.write.claimMany([rows], asStranger()))
    expect(chain.events(receipt).map(({ eventName }) => eventName)).toEqual(['RowSkipped', 'RowSkipped'])
  })

  it('pays everybody else when payees and tokens misbehave', async () => {
    const { channels, payer, payee } = chain
    const receiver = await chain.deploy('HostileReceiver')
    const blocking = await chain.deploy('BlockingToken')
    await chain.endow('BlockingToken', blocking, 1_000n)
    const bad = await chain.open(10n, { payee: receiver })
    const blocked = await chain.open(10n, { token: blocking })
    for (const manner of [1, 2, 3]) {
      await chain.call(payer.address, 'HostileReceiver', receiver, 'setManner', [manner])
      await chain.call(payer.address, 'BlockingToken', blocking, 'setManner', [payee.address, manner + 1])
      const good = await chain.open(10n)
      const before = await chain.balance(payee.address)
      const cumulative = BigInt(manner)
      const rows = [await row(bad, cumulative), await row(blocked, cumulative), await row(good, 3n)]
      const receipt = await chain.mined(channels.write.claimMany([rows], asStranger()))
      expect(await chain.balance(payee.address), `manner ${manner}`).toBe(before + 3n)
      const deferred = chain.events(receipt).filter(({ eventName }) => eventName === 'PayoutDeferred')
      expect(deferred.map(({ args }) => args)).toEqual([
        { account: receiver, token: zeroAddress, amount: 1n },
        { account: payee.address, token: blocking, amount: 1n },
      ])
    }
    expect(await channels.read.owed([receiver, zeroAddress])).toBe(3n)
    expect(await channels.read.owed([payee.address, blocking])).toBe(3n)
  })

  it('is refused, and not half done, with too little gas for its payouts', async () => {
    const receiver = await chain.deploy('HostileReceiver')
    const id = await chain.open(10n, { payee: receiver })
    await chain.call(chain.payer.address, 'HostileReceiver', receiver, 'setManner', [1])
    const rows = [await row(id, 1n)]
    const call = { account: chain.stranger.address, gas: 110_000n }
    expect(await chain.refusal(chain.channels.simulate.claimMany([rows], call))).toBe('InsufficientGas')
    await chain.mined(chain.channels.write.claimMany([rows], asStranger()))
    expect(await chain.channels.read.owed([receiver, zeroAddress])).toBe(1n)
  })
})
