import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { MoneyKind } from './money-kinds.ts'
import type { ProblemLog } from './problem-log.ts'
import { ENDED, type SettlementSum } from './settlement-sums.ts'

export interface EngineBooks {
  readonly node: string
  readonly kind: MoneyKind
  readonly dataDirectory: string
  /** By the node's journal. */
  readonly paid: SettlementSum
  readonly received: SettlementSum
  readonly problems: ProblemLog
}

/** Compares the store of an engine that has ended with the node's journal: all has ended, all is told, sums agree. */
export function checkEngineBooks({ dataDirectory, kind, node, paid, problems, received }: EngineBooks): void {
  const path = join(dataDirectory, 'settlement', kind.name, 'evm-engine.db')
  const database = new DatabaseSync(path, { readOnly: true })
  const rows = (sql: string) => database.prepare(sql).all() as Record<string, string | number>[]
  const sum = (sql: string) => rows(sql).reduce((total, { amount }) => total + BigInt(amount!), 0n)
  const nothing = (what: string, sql: string) => {
    const found = rows(sql)
    if (found.length > 0) problems.add(`engine ${kind.name} of node ${node} ${what}`, found)
  }
  try {
    const ended = ENDED.map((state) => `'${state}'`).join(', ')
    nothing('has orders under way', `SELECT * FROM engine_orders WHERE told = 0 OR state NOT IN (${ended})`)
    nothing('has deposits under way', "SELECT * FROM engine_deposits WHERE state NOT IN ('done', 'failed')")
    nothing('has credits that it did not tell', 'SELECT * FROM engine_credits WHERE told = 0')
    nothing('has notices that nobody heard', 'SELECT * FROM engine_notices WHERE heard = 0')
    nothing('has channels', "SELECT * FROM engine_channels WHERE state <> 'closed'")
    const name = `engine ${kind.name} of node ${node}`
    problems.expectSame(
      `orders of ${name}`,
      sum("SELECT amount FROM engine_orders WHERE state = 'settled'"),
      paid.token,
    )
    problems.expectSame(`credits of ${name}`, sum('SELECT amount FROM engine_credits'), received.token)
    const total = (which: string) => sum(`SELECT amount FROM engine_totals WHERE kind = '${which}'`)
    problems.expectSame(`total paid of ${name}`, total('settled'), paid.token)
    problems.expectSame(`total received of ${name}`, total('credited'), received.token)
  } finally {
    database.close()
  }
}
