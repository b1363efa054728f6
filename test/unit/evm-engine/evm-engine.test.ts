import { createPublicClient, encodeFunctionData, getContract, type Hex, http, toHex, zeroAddress } from 'viem'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { settlementChannelsAbi } from '../../../settlement-engines/evm/contract/settlement-channels-abi.ts'
import { signVoucher } from '../../../settlement-engines/evm/engine/voucher.ts'
import { SigningKey } from '../../../settlement-engines/evm/signing-key.ts'
import { EngineUnavailableError } from '../../../src/settlement/engine.ts'
import { waitFor } from '../../support/wait-for.ts'
import { EngineChain, EnginePair, RICH } from './engine-pair.ts'

describe('two evm engines over one chain', () => {
  let chain: EngineChain
  let pair: EnginePair

  beforeAll(async () => {
    chain = await EngineChain.start()
  })
  afterAll(async () => {
    await chain?.anvil.stop()
  })
  beforeEach(async () => {
    pair = await EnginePair.start(chain)
  })
  afterEach(async () => {
    await pair.stop()
  })

  async function settledAll(...ids: string[]): Promise<void> {
    await pair.until(`${ids.join(', ')} settled`, () =>
      ids.every((id) => pair.payer.ends.get(id) === 'settled'),
    )
  }

  it('opens a channel at the first need and carries orders to credits, to the unit', async () => {
    await pair.payer.settle('a', 1_000n)
    await pair.payer.settle('b', 234n)
    await settledAll('a', 'b')
    await pair.until('credited', () => pair.payee.creditedSum === 1_234n)
    const [out] = pair.payer.engine.channels()
    expect(out).toMatchObject({ direction: 'out', state: 'open', deposit: 1_000_000n, unclaimed: 1_234n })
    expect(pair.payee.engine.channels()).toMatchObject([{ direction: 'in', id: out!.id, unclaimed: 1_234n }])
    expect((await pair.payer.engine.statement('peer')).settled.amount).toBe(1_234n)
    expect((await pair.payee.engine.statement('peer')).credited.amount).toBe(1_234n)
  }, 60_000)

  it('tops up when orders do not fit, and claims what is worth it', async () => {
    await pair.payer.settle('a', 700_000n)
    await settledAll('a')
    await pair.payer.settle('b', 700_000n)
    await settledAll('b')
    await pair.until('claimed', () => pair.payee.engine.channels()[0]?.claimed === 1_400_000n)
    expect(pair.payee.creditedSum).toBe(1_400_000n)
    expect(pair.payer.engine.channels()).toHaveLength(1)
  }, 60_000)

  it('refuses an order beyond the limit of a channel, and carries out the next', async () => {
    await pair.payer.settle('big', 5_000_001n)
    await pair.payer.settle('a', 10n)
    await settledAll('a')
    expect(pair.payer.ends.get('big')).toBe('refused')
    expect((await pair.payer.engine.statement('peer')).open.amount).toBe(0n)
  }, 60_000)

  it('credits a voucher once though its answer is lost', async () => {
    await pair.payer.settle('a', 100n)
    await settledAll('a')
    pair.payer.losesAnswers = true
    await pair.payer.settle('b', 50n)
    await pair.until('credited', () => pair.payee.creditedSum === 150n)
    expect(pair.payer.ends.has('b')).toBe(false)
    pair.payer.losesAnswers = false
    await settledAll('b')
    expect(pair.payee.creditedSum).toBe(150n)
  }, 60_000)

  it('refuses bad vouchers with codes and credits nothing', async () => {
    await pair.payer.settle('a', 100n)
    await settledAll('a')
    const channelId = pair.payer.engine.channels()[0]!.id as Hex
    const domain = { chainId: chain.anvil.chainId, contract: chain.contract }
    const key = new SigningKey(pair.payer.claimKey)
    const claim = async (
      cumulative: bigint,
      change: Partial<typeof domain> = {},
      signer = key,
      id = channelId,
    ) => {
      const signature = await signVoucher(signer, { ...domain, ...change }, { channelId, cumulative })
      return await pair.say({ type: 'claim', channelId: id, cumulative: String(cumulative), signature })
    }
    expect(await claim(100n)).toMatchObject({ cumulative: '100' })
    expect(await claim(99n)).toBe('stale-voucher')
    expect(await claim(1_000_001n)).toBe('above-deposit')
    expect(await claim(200n, { chainId: 1 })).toBe('bad-signature')
    expect(await claim(200n, { contract: chain.token })).toBe('bad-signature')
    expect(await claim(200n, {}, new SigningKey(pair.payee.claimKey))).toBe('bad-signature')
    expect(await claim(200n, {}, key, `0x${'ab'.repeat(32)}`)).toBe('channel-unknown')
    const good = await signVoucher(key, domain, { channelId, cumulative: 200n })
    // The other valid form of the same signature, which the contract does not take.
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
    const high = (order - BigInt(`0x${good.slice(66, 130)}`)).toString(16).padStart(64, '0')
    const mirrored = `${good.slice(0, 66)}${high}${good.endsWith('1b') ? '1c' : '1b'}`
    expect(await pair.say({ type: 'claim', channelId, cumulative: '200', signature: mirrored })).toBe(
      'bad-signature',
    )
    expect(await pair.say({ type: 'claim', channelId, cumulative: '2e2', signature: good })).toBe(
      'bad-message',
    )
    expect(await pair.say({ type: 'claim', channelId, cumulative: '200', signature: good, v: 2 })).toBe(
      'unsupported-version',
    )
    expect(pair.payee.creditedSum).toBe(100n)
    expect(pair.payee.engine.channels()).toMatchObject([{ unclaimed: 100n }])
  }, 60_000)

  it('refuses channels that are not on its terms, with codes', async () => {
    await pair.payer.settle('a', 100n)
    await settledAll('a')
    const signer = new SigningKey(pair.payer.claimKey).address
    const good = { payee: pair.payee.address, token: zeroAddress, signer, settleDelay: 7_200 }
    let salts = 0
    const open = async (change: Partial<typeof good>, from: Hex) => {
      const terms = { ...good, ...change, salt: toHex(++salts, { size: 32 }) }
      const data = encodeFunctionData({
        abi: settlementChannelsAbi,
        functionName: 'open',
        args: [terms, 1_000n],
      })
      await chain.send(chain.contract, data, from, 1_000n)
      await chain.anvil.mine(4)
      const contract = getContract({
        abi: settlementChannelsAbi,
        address: chain.contract,
        client: createPublicClient({ transport: http(chain.anvil.url) }),
      })
      const channelId = await contract.read.channelId([from, terms])
      return await pair.say({ type: 'channel', channelId })
    }
    const from = pair.payer.address
    expect(await open({}, from)).toMatchObject({ deposited: '1000', cumulative: '0' })
    expect(await open({ settleDelay: 3_599 }, from)).toBe('delay-too-short')
    expect(await open({ signer: RICH }, from)).toBe('wrong-signer')
    expect(await open({ payee: RICH }, from)).toBe('channel-foreign')
    expect(await open({}, RICH)).toBe('channel-foreign')
    expect(pair.payee.engine.channels()).toHaveLength(2)
  }, 60_000)

  it('refuses a hello of another address for a bound account', async () => {
    await pair.payer.settle('a', 100n)
    await settledAll('a')
    const answer = (await pair.say({ type: 'challenge' })) as { challenge: Hex }
    const hello = {
      type: 'hello',
      chainId: chain.anvil.chainId,
      contract: chain.contract,
      account: chain.token,
      signer: chain.token,
      ilpAddress: 'test.one',
      peerIlpAddress: 'test.two',
      minSettleDelay: 0,
      challenge: answer.challenge,
      yourChallenge: answer.challenge,
      proof: `0x${'00'.repeat(65)}`,
    }
    expect(await pair.say(hello)).toBe('bad-proof')
    expect(await pair.say({ ...hello, chainId: 1 })).toBe('wrong-chain')
    expect(await pair.say({ ...hello, contract: chain.token })).toBe('wrong-contract')
    expect(await pair.say({ ...hello, ilpAddress: 'test.three' })).toBe('wrong-ilp-address')
    expect(await pair.say({ ...hello, challenge: `0x${'00'.repeat(32)}` })).toBe('bad-challenge')
    expect(await pair.say({ ...hello, account: pair.payee.address })).toBe('own-address')
  }, 60_000)

  it.each([
    'order-stored',
    'deposit-stored',
    'voucher-signed',
    'voucher-stored',
    'claim-sent',
    'ack-stored',
    'end-told',
  ] as const)(
    'takes up after the payer ends at %s',
    async (step) => {
      let isArmed = true
      pair.payer.step = (passed) => {
        if (passed !== step || !isArmed) return
        isArmed = false
        throw new Error(`the process ends at ${step}`)
      }
      await pair.payer.settle('a', 321n).catch(() => undefined)
      await pair.until(step, () => !isArmed)
      await pair.payer.restart()
      await pair.payer.settle('a', 321n)
      await settledAll('a')
      await pair.until('credited', () => pair.payee.creditedSum === 321n)
      expect(pair.payer.engine.channels()).toHaveLength(1)
      expect((await pair.payer.engine.statement('peer')).settled.amount).toBe(321n)
    },
    60_000,
  )

  it.each(['voucher-accepted', 'credit-told'] as const)(
    'takes up after the payee ends at %s',
    async (step) => {
      let isArmed = true
      pair.payee.step = (passed) => {
        if (passed !== step || !isArmed) return
        isArmed = false
        throw new Error(`the process ends at ${step}`)
      }
      await pair.payer.settle('a', 321n)
      await pair.until(step, () => !isArmed)
      await pair.payee.restart()
      await settledAll('a')
      await pair.until('credited', () => pair.payee.creditedSum === 321n)
      await pair.advance()
      expect(pair.payee.credits.size).toBe(1)
      expect((await pair.payee.engine.statement('peer')).credited.amount).toBe(321n)
    },
    60_000,
  )

  it('claims in time when the payer closes with vouchers outstanding, and the rest goes back', async () => {
    await pair.payer.settle('a', 400_000n)
    await settledAll('a')
    await pair.until('credited', () => pair.payee.creditedSum === 400_000n)
    const { id } = pair.payer.engine.channels()[0]!
    pair.payer.onMessage = async () => {
      throw new Error('the payer does not speak')
    }
    await pair.payer.engine.operations.close(id)
    await pair.until('defended', () => pair.payee.engine.channels()[0]!.claimed === 400_000n)
    expect(pair.payee.alarms).toContain('peer-closing')
    expect(pair.payee.engine.channels()[0]).toMatchObject({ state: 'closing' })
    await chain.anvil.increaseTime(7_300)
    await pair.until('closed', () => pair.payer.engine.channels()[0]!.state === 'closed')
    await pair.until('closed', () => pair.payee.engine.channels()[0]!.state === 'closed')
    expect(pair.payee.alarms).not.toContain('channel-lost')
    expect((await pair.payee.engine.statement('peer')).differences).toEqual([])
    pair.payer.onMessage = async () => undefined
    await pair.payer.settle('b', 5n)
    await settledAll('b')
    expect(pair.payer.engine.channels()).toHaveLength(2)
    expect(pair.payee.creditedSum).toBe(400_005n)
  }, 60_000)

  it('lets operators open, top up and claim within the budget', async () => {
    const { operations } = pair.payer.engine
    await expect(operations.open('peer', 5_000_001n)).rejects.toThrow('at most 5000000')
    const { id } = await operations.open('peer', 3_000_000n)
    await pair.until('open', () => pair.payer.engine.channels()[0]!.state === 'open')
    await expect(operations.topUp(id, 7_000_001n)).rejects.toThrow('totalBudget leaves 7000000')
    await operations.topUp(id, 500_000n)
    await pair.until('topped up', () => pair.payer.engine.channels()[0]!.deposit === 3_500_000n)
    await pair.payer.settle('a', 3_400_000n)
    await settledAll('a')
    await pair.payee.engine.operations.claim(id)
    await pair.until('claimed', () => pair.payer.engine.channels()[0]!.claimed === 3_400_000n)
  }, 60_000)

  it('sends no claim that would pay nothing, and says whose turn it is', async () => {
    const paying = pair.payer.engine.operations
    const paid = pair.payee.engine.operations
    await pair.payer.settle('a', 1_000n)
    await settledAll('a')
    const { id } = pair.payer.engine.channels()[0]!
    await paid.claim(id)
    await pair.until('claimed', () => pair.payee.engine.channels()[0]!.claimed === 1_000n)
    const sent = await chain.anvil.transactionCount(pair.payee.address)
    await expect(paid.claim(id)).rejects.toThrow('nothing is unclaimed')
    await expect(paying.claim(id)).rejects.toThrow('its payee alone claims')
    await expect(paid.topUp(id, 1n)).rejects.toThrow('its payer alone puts more in')
    for (let round = 0; round < 2; round++) {
      await pair.payee.engine.tick()
      await chain.anvil.mine()
    }
    expect(await chain.anvil.transactionCount(pair.payee.address)).toBe(sent)
  }, 60_000)

  it('closes at once when the payee is asked', async () => {
    await pair.payer.settle('a', 1_000n)
    await settledAll('a')
    const { id } = pair.payer.engine.channels()[0]!
    await pair.payee.engine.operations.close(id)
    await pair.until('closed', () => pair.payer.engine.channels()[0]!.state === 'closed')
    expect(pair.payer.engine.channels()[0]).toMatchObject({ claimed: 1_000n })
  }, 60_000)
})

describe('two evm engines over a token', () => {
  let chain: EngineChain
  let pair: EnginePair

  beforeAll(async () => {
    chain = await EngineChain.start()
    pair = await EnginePair.start(chain, { asset: 'USD' })
    await chain.mint(pair.payer.address, 5_000_000n)
  })
  afterAll(async () => {
    await pair?.stop()
    await chain?.anvil.stop()
  })

  it('pays out exactly what was credited, and the payer gets the rest', async () => {
    for (const [id, amount] of [
      ['a', 800_000n],
      ['b', 600_000n],
      ['c', 7n],
    ] as const) {
      await pair.payer.settle(id, amount)
      await pair.until(`${id} settled`, () => pair.payer.ends.get(id) === 'settled')
    }
    const [channel] = pair.payer.engine.channels()
    expect(channel).toMatchObject({ token: chain.token.toLowerCase(), tokenScale: 6 })
    await pair.payer.engine.operations.close(channel!.id)
    await pair.until('closed', () => pair.payer.engine.channels()[0]!.state === 'closed')
    await pair.until('closed', () => pair.payee.engine.channels()[0]!.state === 'closed')
    expect(pair.payee.creditedSum).toBe(1_400_007n)
    expect(await chain.tokenBalance(pair.payee.address)).toBe(1_400_007n)
    expect(await chain.tokenBalance(pair.payer.address)).toBe(5_000_000n - 1_400_007n)
    expect(await chain.tokenBalance(chain.contract)).toBe(0n)
  }, 60_000)
})

describe('two evm engines that run by themselves', () => {
  it('settle within their polls, and stop', async () => {
    const chain = await EngineChain.start()
    const pair = await EnginePair.start(chain, { payer: { pollMs: 50 }, payee: { pollMs: 50 } })
    try {
      await pair.payer.settle('a', 1_234n)
      await waitFor('settled and credited', async () => {
        await chain.anvil.mine()
        return pair.payer.ends.get('a') === 'settled' && pair.payee.creditedSum === 1_234n
      })
    } finally {
      await pair.stop()
      await chain.anvil.stop()
    }
    await expect(pair.payer.settle('b', 1n)).rejects.toThrow(EngineUnavailableError)
  }, 60_000)
})
