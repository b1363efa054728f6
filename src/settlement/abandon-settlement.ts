import type { Logger } from '../lib/logger.ts'
import {
  OrderConflictError,
  type OrderVerdict,
  type SettlementEngine,
  VerdictRefusedError,
} from './engine.ts'
import type { SettlementJournal } from './settlement-journal.ts'
import { SettlementRefusal } from './settlement-refusal.ts'

export interface AbandonDeps {
  journal: SettlementJournal
  engine(name: string): SettlementEngine | undefined
  logger: Logger
}

/**
 * Ends a settlement by the word of an operator, when its engine cannot. The engine hears it first, so that it never
 * carries the order out after that, and then tells the node its end: until it has, the amount stays held, and goes
 * neither back to the balance nor out a second time.
 * @throws SettlementRefusal when the engine knows better, or nothing is to be decided
 */
export async function abandonSettlement(
  id: string,
  verdict: OrderVerdict,
  { engine: engineOf, journal, logger }: AbandonDeps,
): Promise<void> {
  const order = journal.outgoing.get(id)
  if (order === undefined) throw new SettlementRefusal('not-found', `there is no settlement ${id}`)
  const { accountId, engine: name, quantity, state } = order
  if (state !== 'held' && state !== 'handed-over') {
    throw new SettlementRefusal('conflict', `settlement ${id} is ${state}: there is nothing to decide`)
  }
  const engine = engineOf(name)
  if (engine === undefined)
    throw new SettlementRefusal('unavailable', `the engine ${name} is not running: it must hear this first`)
  if (engine.abandon === undefined) {
    throw new SettlementRefusal('unsupported', `the engine ${name} finds out itself what became of an order`)
  }
  try {
    await engine.abandon({ id, accountId, quantity }, verdict)
  } catch (error) {
    const isRefusal = error instanceof VerdictRefusedError || error instanceof OrderConflictError
    throw isRefusal ? new SettlementRefusal('conflict', error.message) : error
  }
  journal.outgoing.note(id, verdict.reason)
  logger.warn('settlement ended by an operator', { settlementId: id, accountId, engine: name, ...verdict })
}
