import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { EngineChain, EnginePair } from './engine-pair.ts'

let chain: EngineChain
let pair: EnginePair

beforeAll(async () => {
  chain = await EngineChain.start()
})
afterEach(async () => {
  await pair.stop()
})
afterAll(async () => {
  await chain?.anvil.stop()
})

describe('what operators put into channels', () => {
  it('stays within totalBudget when they do two things at once', async () => {
    pair = await EnginePair.start(chain)
    const { operations } = pair.payer.engine
    // The limit of all is 10,000,000; none of them knows of the others while the peer is asked.
    const all = await Promise.allSettled([1, 2, 3].map(async () => await operations.open('peer', 4_000_000n)))
    expect(all.map(({ status }) => status).sort()).toEqual(['fulfilled', 'fulfilled', 'rejected'])
  }, 60_000)

  it('is nothing where the account settles by transfers', async () => {
    pair = await EnginePair.start(chain, { isTransfer: true })
    const opened = pair.payer.engine.operations.open('peer', 1_000n)
    await expect(opened).rejects.toThrow('settles by transfers')
    expect(pair.payer.engine.channels()).toEqual([])
  }, 60_000)

  it('stays within maxDepositPerChannel, with what is on its way', async () => {
    pair = await EnginePair.start(chain)
    const { operations } = pair.payer.engine
    const { id } = await operations.open('peer', 3_000_000n)
    const channel = () => pair.payer.engine.channels()[0]!
    await pair.until('open', () => channel().state === 'open')
    await expect(operations.topUp(id, 2_000_001n)).rejects.toThrow('maxDepositPerChannel leaves 2000000')
    await operations.topUp(id, 1_500_000n)
    await expect(operations.topUp(id, 500_001n)).rejects.toThrow('maxDepositPerChannel leaves 500000')
    await operations.topUp(id, 500_000n)
    await pair.until('topped up', () => channel().deposit === 5_000_000n)
    // What is spent makes room.
    await pair.payer.settle('a', 800_000n)
    await pair.until('settled', () => pair.payer.ends.get('a') === 'settled')
    await operations.topUp(id, 800_000n)
    await pair.until('topped up', () => channel().deposit === 5_800_000n)
  }, 60_000)

  it('does not go into a channel that is closed before its turn', async () => {
    pair = await EnginePair.start(chain, { asset: 'USD' })
    const { payer } = pair
    await chain.mint(payer.address, 10_000_000n)
    const { id } = await payer.engine.operations.open('peer', 3_000_000n)
    const channel = () => payer.engine.channels()[0]!
    await pair.until('open', () => channel().state === 'open')
    await payer.engine.operations.topUp(id, 1_000_000n)
    await payer.engine.operations.close(id)
    await pair.until('asked for', () => channel().expiresAtMs !== undefined)
    for (let round = 0; round < 2; round++) {
      await payer.engine.tick()
      await chain.anvil.mine()
    }
    expect(channel()).toMatchObject({ state: 'closing', deposit: 3_000_000n })
    expect(payer.alarms).toEqual([])
    // Nothing waits for it: the next channel is opened.
    await payer.engine.operations.open('peer', 2_000_000n)
    await pair.until('open', () => payer.engine.channels()[1]!.state === 'open')
  }, 60_000)
})
