import type { Hex } from 'viem'
import { within } from '../../../src/lib/within.ts'
import type { EngineHost } from '../../../src/settlement/engine.ts'
import { convertQuantity } from '../../../src/settlement/quantity.ts'
import { readHeads } from '../finality.ts'
import type { EngineCore } from './engine-core.ts'
import { min } from './min-max.ts'
import { SilentNodeError } from './silent-node-error.ts'
import { addToTotal } from './totals.ts'

/** A look into the node's own books; whoever needs it asks again. */
const HOST_DEADLINE_MS = 10_000

/**
 * Holds what the books say that channels have brought against the node's journal, once per run and channel, before
 * anything is credited from it: the books may be lost, or restored from an old backup. What the node has credited is
 * never credited again. What neither side can account for is money of the channel all the same: it goes to the
 * node's SUSPENSE, where an operator decides.
 */
export class CreditCheck {
  readonly #core: EngineCore
  readonly #host: EngineHost
  readonly #passed = new Set<Hex>()

  constructor(core: EngineCore, deps: { host: EngineHost }) {
    this.#core = core
    this.#host = deps.host
  }

  hasPassed(channelId: Hex): boolean {
    return this.#passed.has(channelId)
  }

  /** Ids of a channel's credits begin with it: each ends in the figure that it goes up to. */
  prefix(channelId: Hex): string {
    return `evm:${this.#core.domain.chainId}:${channelId}:`
  }

  /** What the node has credited from a channel, in units of its token. @throws Error when it cannot tell now */
  async credited(channelId: Hex, scale: number): Promise<bigint> {
    const late = () => new SilentNodeError('the node did not tell its credits in time')
    const sum = await within(this.#host.credited(this.prefix(channelId)), HOST_DEADLINE_MS, late)
    return convertQuantity(sum, scale).amount
  }

  /** @throws ChainError, or Error when the node cannot tell now: nothing may be credited then */
  async pass(channelId: Hex): Promise<void> {
    if (this.#passed.has(channelId)) return
    const { chain, channels, contract, credits, settings, store } = this.#core
    const { scale } = channels.find(channelId)!
    const { final } = await readHeads(chain, settings.finality)
    const [found] = await contract.read([channelId], final.number)
    const prefix = this.prefix(channelId)
    const untold = credits.untoldSum(prefix)
    const credited = await this.credited(channelId, scale)
    // Told while the node was asked: the answer may hold it or not.
    if (credits.untoldSum(prefix) !== untold) throw new Error('credits are being told: ask again')
    store.transaction(() => {
      if (this.#passed.has(channelId)) return
      this.#compare(channelId, { credited, untold, claimed: found?.claimed ?? 0n })
      this.#passed.add(channelId)
    })
  }

  /** {@link pass} for the channel that a credit came from; nothing for credits of transfers. */
  async passSourceOf(creditId: string): Promise<void> {
    const source = creditId.split(':')[2] as Hex
    if (this.#passed.has(source) || this.#core.channels.find(source) === undefined) return
    await this.pass(source)
  }

  #compare(channelId: Hex, told: { credited: bigint; untold: bigint; claimed: bigint }): void {
    const { alarm, channels, credits, store } = this.#core
    const { accountId, cumulative } = channels.find(channelId)!
    const { claimed, credited, untold } = told
    // Also where other books have told it, under other ids: these are older.
    credits.cover(this.prefix(channelId), min(credited - (cumulative - untold), untold))
    const fields = { accountId, channelId, books: cumulative, node: credited }
    if (credited > cumulative) {
      alarm('books-old', fields)
      channels.update(channelId, { cumulative: credited })
      addToTotal(store, 'credited', accountId, credited - cumulative)
    } else if (credited < cumulative - untold) {
      // The node's journal is the older one. Whether its ledger is as old, only an operator knows.
      const amount = cumulative - untold - credited
      this.#add(channelId, { name: `again${credited}`, amount, to: undefined })
      alarm('doubtful-credit', { ...fields, amount })
    }
    const { cumulative: now, held } = channels.find(channelId)!
    if (claimed <= now) return
    // Paid to us on the chain by a voucher that we hold; or nobody has credited it, or nobody remembers.
    const isOurs = claimed <= held
    this.#add(channelId, { name: String(claimed), amount: claimed - now, to: isOurs ? accountId : undefined })
    channels.update(channelId, { cumulative: claimed })
    if (!isOurs) alarm('doubtful-credit', { ...fields, amount: claimed - now })
  }

  #add(channelId: Hex, credit: { name: string; amount: bigint; to: string | undefined }): void {
    const { accounts, channels, credits } = this.#core
    const { accountId, scale, terms } = channels.find(channelId)!
    credits.add({
      id: `${this.prefix(channelId)}${credit.name}`,
      accountId: credit.to,
      assetCode: accounts.find(accountId)!.assetCode,
      quantity: { amount: credit.amount, scale },
      sender: terms.signer,
    })
  }
}
