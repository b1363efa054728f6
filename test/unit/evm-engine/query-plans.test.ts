import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { EngineChain, EnginePair } from './engine-pair.ts'

/** Tables whose rows are kept for good: they grow with each settlement. */
const GROWING = [
  'engine_orders',
  'engine_credits',
  'engine_deposits',
  'engine_notices',
  'intents',
  'transactions',
]
/** A scan that goes through an index of unfinished rows alone is bounded by those. */
const SCAN = new RegExp(`^SCAN (?:${GROWING.join('|')}|t|i)(?! USING (?:COVERING )?INDEX)`)

let chain: EngineChain
let pair: EnginePair

beforeAll(async () => {
  chain = await EngineChain.start()
})
afterEach(async () => {
  vi.restoreAllMocks()
  await pair.stop()
})
afterAll(async () => {
  await chain?.anvil.stop()
})

describe('the rounds of an engine', () => {
  it('ask for nothing that takes longer the more was ever settled', async () => {
    pair = await EnginePair.start(chain)
    const { payee, payer } = pair
    const texts = new Set<string>()
    const { prepare } = DatabaseSync.prototype
    vi.spyOn(DatabaseSync.prototype, 'prepare').mockImplementation(function (
      this: DatabaseSync,
      sql,
      options,
    ) {
      texts.add(sql)
      return prepare.call(this, sql, options)
    })
    await payer.settle('a', 900_000n)
    await pair.until('settled', () => payer.ends.get('a') === 'settled')
    await pair.until('claimed', () => payee.engine.channels()[0]!.claimed === 900_000n)
    await payer.settle('b', 900_000n)
    await pair.until('settled', () => payer.ends.get('b') === 'settled')
    await payee.engine.statement('peer')
    await payer.engine.statement('peer')
    vi.restoreAllMocks()
    await payer.engine.stop()
    const database = new DatabaseSync(join(payer.options.directory, 'evm-engine.db'))
    try {
      const plans = [...texts]
        .filter((text) => /^\s*(?:SELECT|UPDATE|DELETE)/.test(text))
        .map((text) => ({
          text,
          steps: database
            .prepare(`EXPLAIN QUERY PLAN ${text}`)
            .all()
            .map(({ detail }) => String(detail)),
        }))
      expect(plans.length).toBeGreaterThan(20)
      expect(plans.filter(({ steps }) => steps.some((step) => SCAN.test(step)))).toEqual([])
    } finally {
      database.close()
    }
  }, 60_000)
})
