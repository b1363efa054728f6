import type { Hex } from 'viem'
import { within } from '../../../src/lib/within.ts'
import type { EngineHost, HostOrders, SettlementOrder } from '../../../src/settlement/engine.ts'
import { convertQuantity } from '../../../src/settlement/quantity.ts'
import type { AccountRecord } from './account-book.ts'
import type { EngineCore } from './engine-core.ts'
import { max, min } from './min-max.ts'
import { FORGOTTEN, type OrderRecord } from './order-book.ts'
import { sumOf } from './sum-of.ts'
import { setTotal, totalOf } from './totals.ts'

/** A look into the node's own books; the account's next round asks again. */
const HOST_DEADLINE_MS = 10_000

interface Hearsay {
  readonly channelId: Hex
  readonly credited?: bigint | undefined
}

/**
 * Brings the orders in the books into line with the node's journal, where one of the two may be lost or restored from
 * an old backup. What was ever signed stays paid: it pays the orders of the node, oldest first, and what no order asks
 * for pays the next ones. So no order is paid twice, and none is forgotten.
 */
export class OrderSync {
  readonly #core: EngineCore
  readonly #host: EngineHost

  constructor(core: EngineCore, deps: { host: EngineHost }) {
    this.#core = core
    this.#host = deps.host
  }

  /**
   * Once per run, before anything is paid for the account.
   * @param heard what the peer says to have credited, without a voucher of ours
   * @throws Error when the node cannot tell now
   */
  async sync(account: AccountRecord, heard: readonly Hearsay[]): Promise<void> {
    const { orders, store } = this.#core
    // Orders that come while the node is asked are not in its answer, and not lost either.
    const before = new Set(orders.open(account.id).map(({ id }) => id))
    const late = () => new Error('the node did not tell its orders in time')
    const told = await within(this.#host.orders(account.id), HOST_DEADLINE_MS, late)
    store.transaction(() => {
      const freed = this.#endForgotten(account, before, told)
      const untold = this.#tellAgain(told)
      if (account.mode === 'channel') this.#assign(account, told, { freed, untold, heard })
      else this.#checkTransfers(account, told, untold)
    })
  }

  /** Open here and not at the node: ended there. @returns what was signed for them */
  #endForgotten(account: AccountRecord, before: ReadonlySet<string>, { open, offered }: HostOrders): bigint {
    const { logger, orders, sender } = this.#core
    const atNode = new Set([...open, ...offered].map(({ id }) => id))
    let freed = 0n
    for (const order of orders.open(account.id)) {
      if (!before.has(order.id) || atNode.has(order.id)) continue
      if (order.state === 'signed') freed += order.amount
      orders.setForgotten(order.id)
      if (order.purpose !== undefined) sender.cancel(order.purpose)
      logger.warn('an order ended at the node in a time that these books do not know', { orderId: order.id })
    }
    return freed
  }

  /** Ended here and open at the node: its books are older. @returns the sum of those that were settled */
  #tellAgain({ open, offered }: HostOrders): bigint {
    const { orders } = this.#core
    let untold = 0n
    for (const { id } of [...open, ...offered]) {
      const known = orders.get(id)
      if (known === undefined || !isEnded(known)) continue
      if (known.reason === FORGOTTEN) {
        orders.setRemembered(id)
        continue
      }
      orders.setUntold(id)
      if (known.state === 'settled') untold += known.amount
    }
    return untold
  }

  /** What was paid and is neither told nor for an order that is open here is left to pay others. */
  #assign(
    account: AccountRecord,
    told: HostOrders,
    sums: { freed: bigint; untold: bigint; heard: readonly Hearsay[] },
  ): void {
    const { alarm, orders, store } = this.#core
    const { id, scale } = account
    const settled = convertQuantity(told.settled, scale).amount
    const paid = totalOf(store, 'settled', id) + sums.freed + totalOf(store, 'surplus', id)
    const known = paid - sums.untold - settled
    const surplus = known < 0n ? known + this.#believe(account, sums.heard, -known) : known
    setTotal(store, 'settled', id, settled + sums.untold)
    setTotal(store, 'surplus', id, surplus > 0n ? surplus : 0n)
    const unknown = told.open.filter((order) => orders.get(order.id) === undefined)
    if (surplus < 0n) {
      // Channels that are forgotten and closed may have paid for them: nobody here can tell.
      alarm('books-lost', { accountId: id, missing: -surplus, orders: unknown.map((order) => order.id) })
      return
    }
    for (const order of unknown) this.#adopt(order)
    const open = sumOf(orders.open(id))
    if (surplus > open) alarm('surplus', { accountId: id, surplus: surplus - open })
  }

  /**
   * The node knows that more was paid than any voucher shows: up to that, the peer's word is as good. Both sides have
   * lost the vouchers.
   * @returns how much of it that explains
   */
  #believe({ id }: AccountRecord, heard: readonly Hearsay[], missing: bigint): bigint {
    const { channels, logger } = this.#core
    let left = missing
    for (const { channelId, credited = 0n } of heard) {
      const channel = channels.find(channelId)
      if (channel?.accountId !== id || channel.direction !== 'out') continue
      const raise = min(credited - channel.cumulative, left)
      if (raise <= 0n) continue
      left -= raise
      const cumulative = channel.cumulative + raise
      channels.update(channelId, { cumulative, acked: max(channel.acked, cumulative) })
      logger.warn('no voucher shows what node and peer know to be paid: taken up', { channelId, cumulative })
    }
    return missing - left
  }

  /** Only where the chain itself holds that an order is paid once is it safe to take one up again. */
  #checkTransfers(account: AccountRecord, told: HostOrders, untold: bigint): void {
    const { abilities, alarm, orders, store } = this.#core
    const settled = convertQuantity(told.settled, account.scale).amount
    setTotal(store, 'settled', account.id, settled + untold)
    const unknown = told.open.filter((order) => orders.get(order.id) === undefined)
    if (unknown.length === 0) return
    if (abilities.get(account.token)?.kind === 'authorization') {
      for (const order of unknown) this.#adopt(order)
    } else {
      alarm('books-lost', { accountId: account.id, orders: unknown.map((order) => order.id) })
    }
  }

  #adopt({ id, accountId, quantity }: SettlementOrder): void {
    this.#core.orders.add({ id, accountId, amount: quantity.amount })
    this.#core.logger.warn('an order of the node was not in the books: taken up', { orderId: id })
  }
}

function isEnded({ state }: OrderRecord): boolean {
  return state === 'settled' || state === 'refused'
}
