import { encodeFunctionData, type Hex } from 'viem'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { settlementChannelsAbi } from '../../../settlement-engines/evm/contract/settlement-channels-abi.ts'
import type { ChannelView } from '../../../src/settlement/engine.ts'
import { SeededRandom } from '../../compliance/seeded-random.ts'
import { EngineChain, EnginePair, type Side } from './engine-pair.ts'

const SEEDS = [1, 2, 3, 10]
const MOVES = 60
const AMOUNT_MAX = 600_000
const SETTLE_DELAY_S = 7_200

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

/** Two engines, their operators, a stranger and a link that does as it likes. */
class History {
  readonly done: string[] = []
  readonly #pair: EnginePair
  readonly #random: SeededRandom
  readonly #vouchers: { channelId: Hex; cumulative: bigint; signature: Hex }[] = []
  #link: 'good' | 'cut' | 'deaf' = 'good'
  #ordered = 0n

  constructor(own: EnginePair, seed: number) {
    this.#pair = own
    this.#random = new SeededRandom(seed)
    for (const side of [own.payer, own.payee]) {
      side.onMessage = async (message) => {
        if (message.type === 'claim') {
          const { channelId, cumulative, signature } = message as Record<string, string>
          const voucher = { channelId: channelId as Hex, cumulative: BigInt(cumulative!) }
          this.#vouchers.push({ ...voucher, signature: signature as Hex })
        }
        if (this.#link === 'cut') throw new Error('the link is cut')
        side.losesAnswers = this.#link === 'deaf'
      }
    }
  }

  async move(): Promise<void> {
    const moves: Record<string, () => Promise<unknown> | unknown> = {
      order: () => this.#order(),
      'another order': () => this.#order(),
      'a third order': () => this.#order(),
      advance: () => this.#pair.advance(),
      'advance again': () => this.#pair.advance(),
      'a while': async () => {
        for (let round = 0; round < 5; round++) await this.#pair.advance()
      },
      link: () => {
        this.#link = this.#random.pick(['good', 'good', 'cut', 'deaf'])
      },
      'restart the payer': () => this.#pair.payer.restart(),
      'restart the payee': () => this.#pair.payee.restart(),
      'payer closes': () => this.#operate(this.#pair.payer, 'out', 'close'),
      'payee closes': () => this.#operate(this.#pair.payee, 'in', 'close'),
      'payee claims': () => this.#operate(this.#pair.payee, 'in', 'claim'),
      'payer opens': () => this.#pair.payer.engine.operations.open('peer', 1_000_000n),
      'stranger hands in': () => this.#handIn(),
      'time passes': async () => {
        const seconds = this.#random.pick([60, 600, SETTLE_DELAY_S])
        await this.#pair.chain.anvil.increaseTime(seconds)
        for (const side of [this.#pair.payer, this.#pair.payee]) side.aheadMs += seconds * 1_000
      },
    }
    const name = this.#random.pick(Object.keys(moves))
    this.done.push(name)
    try {
      await moves[name]!()
    } catch (error) {
      // What operators may not do now.
      if (!(error instanceof RangeError) && !/peer|link|answer/.test(String(error))) throw error
    }
  }

  /** All is quiet, and everything ends. */
  async check(): Promise<void> {
    const { payee, payer } = this.#pair
    this.#link = 'good'
    for (const side of [payer, payee]) side.losesAnswers = false
    await this.#order()
    for (let hour = 0; hour < 3; hour++) {
      await this.#pair.chain.anvil.increaseTime(SETTLE_DELAY_S)
      for (const side of [payer, payee]) side.aheadMs += SETTLE_DELAY_S * 1_000
      for (let round = 0; round < 6; round++) await this.#pair.advance()
    }
    await this.#pair.until('all orders settled', () => payer.ends.size === payer.handed.size)
    expect([...payer.ends.values()].every((end) => end === 'settled')).toBe(true)
    await this.#pair.until('all credited', () => payee.creditedSum >= this.#ordered)
    await this.#pair.advance()
    expect(payee.creditedSum).toBe(this.#ordered)
    const statements = [await payer.engine.statement('peer'), await payee.engine.statement('peer')]
    expect(statements[0]).toMatchObject({
      settled: { amount: this.#ordered },
      open: { amount: 0n },
      differences: [],
    })
    // What a stranger handed in while the payee was down is an operator's to attribute.
    const suspended = [...payee.credits.values()]
      .filter(({ accountId }) => accountId === undefined)
      .reduce((all, { quantity }) => all + quantity.amount, 0n)
    expect(statements[1]).toMatchObject({
      credited: { amount: this.#ordered - suspended },
      differences: [],
    })
    const sum = (channels: readonly ChannelView[]) =>
      channels.reduce((all, { claimed, unclaimed }) => all + claimed + unclaimed, 0n)
    expect(sum(payee.engine.channels())).toBe(this.#ordered)
  }

  async #order(): Promise<void> {
    const { payer } = this.#pair
    const amount = 1n + BigInt(this.#random.below(AMOUNT_MAX))
    this.#ordered += amount
    await payer.settle(`order-${payer.handed.size}`, amount)
  }

  async #operate(side: Side, direction: 'in' | 'out', what: 'close' | 'claim'): Promise<void> {
    const open = side.engine.channels().filter((one) => one.direction === direction && one.state === 'open')
    if (open.length === 0) return
    await side.engine.operations[what](this.#random.pick(open).id)
  }

  /** Whoever knows a voucher: the payee has heard of its channel. */
  async #handIn(): Promise<void> {
    const known = new Set(this.#pair.payee.engine.channels().map(({ id }) => id))
    const vouchers = this.#vouchers.filter(({ channelId }) => known.has(channelId))
    if (vouchers.length === 0) return
    const { channelId, cumulative, signature } = this.#random.pick(vouchers)
    const args = [channelId, cumulative, signature] as const
    const data = encodeFunctionData({ abi: settlementChannelsAbi, functionName: 'claim', args })
    // One that pays nothing reverts.
    await this.#pair.chain.send(this.#pair.chain.contract, data).catch(() => undefined)
  }
}

describe('any history of two engines', () => {
  it.each(SEEDS)(
    'loses nothing and doubles nothing, seed %d',
    async (seed) => {
      const bounds = { deposit: '1000000', maxDepositPerChannel: '5000000', totalBudget: '60000000' }
      const assets = { ETH: { token: 'native' as const, claimAtValue: '900000', ...bounds } }
      pair = await EnginePair.start(chain, { payer: { assets }, payee: { assets } })
      const history = new History(pair, seed)
      try {
        for (let move = 0; move < MOVES; move++) await history.move()
        await history.check()
      } catch (error) {
        throw new Error(`seed ${seed}: ${history.done.join(', ')}`, { cause: error })
      }
    },
    120_000,
  )
})
