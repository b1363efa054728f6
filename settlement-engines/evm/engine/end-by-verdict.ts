import { type OrderVerdict, VerdictRefusedError } from '../../../src/settlement/engine.ts'
import type { EngineCore } from './engine-core.ts'
import type { OrderRecord } from './order-book.ts'

/**
 * Ends an order of which the books do not know enough, because they were lost or are old: an operator has found out what
 * became of it. The node is told like of any other.
 * @throws VerdictRefusedError for orders that the engine ends itself, and without a word that this is certain
 * @throws OrderConflictError when the id was used with another account or amount
 */
export function endByVerdict(
  core: EngineCore,
  order: { id: string; accountId: string; amount: bigint },
  { doubtful, outcome, reason }: OrderVerdict,
): void {
  const { orders, sender, store, wake } = core
  store.transaction(() => {
    const known = orders.find(order)
    if (known !== undefined && !mayHaveBeenSent(core, known)) {
      throw new VerdictRefusedError(
        `the engine has order ${order.id} in its books, as ${known.state}: it ends it, or has ended it, by itself`,
      )
    }
    if (!doubtful) {
      throw new VerdictRefusedError(
        `order ${order.id} may have been paid in a time that the books do not know. Ask the peer what it was credited, and say that you made sure`,
      )
    }
    if (known === undefined) orders.add(order)
    const found = orders.get(order.id)!
    if (outcome === 'paid') orders.settle(found)
    else orders.refuse(found, reason)
    if (found.purpose !== undefined) sender.cancel(found.purpose)
  })
  wake()
}

/** Its key has sent what these books do not know, and this order waits for a transaction of its own. */
function mayHaveBeenSent({ accounts, sender }: EngineCore, order: OrderRecord): boolean {
  if (sender.halted === undefined || accounts.find(order.accountId)?.mode !== 'transfer') return false
  if (order.state === 'queued') return true
  return order.state === 'sent' && sender.purpose(order.purpose!)?.state === 'queued'
}
