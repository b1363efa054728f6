import { type Hex, toHex, zeroAddress } from 'viem'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ChannelContract } from '../../../settlement-engines/evm/engine/channel-contract.ts'
import { proveIdentity } from '../../../settlement-engines/evm/engine/identity-proof.ts'
import { QuestionLimit } from '../../../settlement-engines/evm/engine/question-limit.ts'
import { signVoucher } from '../../../settlement-engines/evm/engine/voucher.ts'
import { SigningKey } from '../../../settlement-engines/evm/signing-key.ts'
import { ANVIL_KEYS } from '../../support/anvil.ts'
import { JsonRpcProxy } from '../../support/json-rpc-proxy.ts'
import { waitFor } from '../../support/wait-for.ts'
import { EngineChain, EnginePair } from './engine-pair.ts'

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

async function settled(id: string, amount: bigint): Promise<void> {
  await pair!.payer.settle(id, amount)
  await pair!.until(`${id} settled`, () => pair!.payer.ends.get(id) === 'settled')
}

describe('a peer that does not answer', () => {
  it('does not keep its channel from being defended', async () => {
    pair = await EnginePair.start(chain)
    const { payee, payer } = pair
    await settled('a', 400_000n)
    await payee.restart()
    // Nothing that the payee says is ever answered: its hello among them.
    let asked = 0
    payee.onMessage = async () => {
      asked++
      await new Promise(() => undefined)
    }
    payer.onMessage = async () => {
      throw new Error('the payer does not speak')
    }
    await payer.engine.operations.close(payer.engine.channels()[0]!.id)
    await pair.until('defended', () => payee.engine.channels()[0]!.claimed === 400_000n)
    expect(asked).toBe(1)
    // Less than the deadline of one message.
  }, 25_000)
})

describe('a peer that sends vouchers by the dozen', () => {
  it('does not make the engine look at the chain for each', async () => {
    const proxy = await JsonRpcProxy.start(chain.anvil.url)
    let looks = 0
    proxy.plan = ({ method }) => {
      if (method === 'eth_call') looks++
      return undefined
    }
    try {
      pair = await EnginePair.start(chain, { payee: { rpcUrls: [proxy.url], pollMs: 2_000 } })
      const { payee, payer } = pair
      await payer.settle('a', 1n)
      await waitFor('settled', async () => {
        await chain.anvil.mine()
        await payer.engine.tick()
        return payer.ends.get('a') === 'settled'
      })
      const channelId = payer.engine.channels()[0]!.id as Hex
      const key = new SigningKey(payer.claimKey)
      const domain = { chainId: chain.anvil.chainId, contract: chain.contract }
      looks = 0
      for (let cumulative = 2n; cumulative <= 60n; cumulative++) {
        const signature = await signVoucher(key, domain, { channelId, cumulative })
        await pair.say({ type: 'claim', channelId, cumulative: String(cumulative), signature })
        await waitFor('credited', () => payee.creditedSum === cumulative)
      }
      expect(looks).toBeLessThan(59)
    } finally {
      await pair?.stop()
      pair = undefined
      await proxy.stop()
    }
  }, 60_000)
})

describe('a peer that names channels which do not exist', () => {
  it('is put off after some, and heard again later', async () => {
    pair = await EnginePair.start(chain)
    await settled('a', 1n)
    const say = async (index: number) =>
      await pair!.say({ type: 'channel', channelId: toHex(index, { size: 32 }) })
    const answers: unknown[] = []
    for (let index = 0; index < 900 && answers.at(-1) !== 'not-ready'; index++) answers.push(await say(index))
    expect(answers.filter((answer) => answer === 'channel-unknown').length).toBeGreaterThan(400)
    expect(answers.at(-1)).toBe('not-ready')
    pair.payee.aheadMs = 3_000
    expect(await say(100)).toBe('channel-unknown')
    // What needs no look at the chain goes on.
    await settled('b', 2n)
  }, 60_000)

  it('is counted by account', () => {
    let nowMs = 1_000
    const limit = new QuestionLimit({ clock: { now: () => nowMs } })
    const burst = () => {
      let taken = 0
      while (taken < 1_000 && limit.take('a')) taken++
      return taken
    }
    expect(burst()).toBe(500)
    expect(limit.take('b')).toBe(true)
    nowMs += 5_000
    expect(burst()).toBe(10)
    nowMs += 10_000_000
    expect(burst()).toBe(500)
  })
})

describe('a peer that greets without end', () => {
  it('is spoken to once per second, whatever it makes of that', async () => {
    pair = await EnginePair.start(chain)
    const { payee, payer } = pair
    await settled('a', 1n)
    const domain = { chainId: chain.anvil.chainId, contract: chain.contract.toLowerCase() as Hex }
    const ask = async (body: object) => {
      const message = Buffer.from(JSON.stringify({ v: 1, id: 'x', ...body }))
      return JSON.parse((await payer.engine.receive('peer', message)).toString()) as Record<string, Hex>
    }
    const challenge = (await ask({ type: 'challenge' })).challenge!
    const identity = {
      ...{ account: payee.address, signer: new SigningKey(payee.claimKey).address },
      ...{ ilpAddress: 'test.two', peerIlpAddress: 'test.one', challenge },
    }
    const proof = await proveIdentity(new SigningKey(ANVIL_KEYS[2]!), domain, identity)
    const hello = { ...domain, ...identity, minSettleDelay: 3_600, proof, yourChallenge: challenge }
    let asked = 0
    payer.onMessage = async () => {
      asked++
      throw new Error('the payee does not answer')
    }
    for (let second = 1; second <= 3; second++) {
      payer.aheadMs += 60_000
      for (let count = 0; count < 20; count++) {
        await ask({ type: 'hello', ...hello })
        await payer.engine.tick()
      }
      expect(asked).toBeLessThanOrEqual(3 * second)
      expect(asked).toBeGreaterThanOrEqual(second)
    }
  }, 30_000)
})

describe('a peer that opens one channel after the other', () => {
  it('is stopped at as many as can be told when books are lost, and may go on when some are closed', async () => {
    pair = await EnginePair.start(chain)
    const { payee, payer } = pair
    await settled('a', 100n)
    const signer = new SigningKey(payer.claimKey).address
    const contract = new ChannelContract(
      { address: chain.contract },
      { chain: { chainId: chain.anvil.chainId } as never },
    )
    const terms = { payee: payee.address, token: zeroAddress, signer, settleDelay: 7_200 }
    const ids: Hex[] = []
    for (let index = 0; index < 16; index++) {
      const own = { ...terms, salt: toHex(index, { size: 32 }) }
      const call = contract.open(own, 5n)
      await chain.send(call.to, call.data, payer.address, call.value)
      ids.push(contract.idOf(payer.address, own))
    }
    await chain.anvil.mine(4)
    const answers = []
    for (const channelId of ids) answers.push(await pair.say({ type: 'channel', channelId }))
    expect(answers.slice(0, 15).every((answer) => typeof answer === 'object')).toBe(true)
    expect(answers[15]).toBe('too-many-channels')
    await payee.engine.operations.close(ids[0]!)
    await pair.until('closed', () =>
      payee.engine.channels().some(({ id, state }) => id === ids[0] && state === 'closed'),
    )
    expect(await pair.say({ type: 'channel', channelId: ids[15] })).toMatchObject({ deposited: '5' })
  }, 60_000)
})
