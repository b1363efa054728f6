import type { Hex } from 'viem'
import { EngineConfigError } from '../../../src/settlement/engine.ts'
import type { EngineStore } from '../engine-store.ts'

/** What the engine's books are about. */
export interface EnginePlace {
  readonly chainId: number
  readonly contract: Hex
  /** Of the funding key. */
  readonly address: Hex
}

/**
 * Books with money under way are of one chain, contract and address: read with the eyes of another, channels would look
 * as if they had never been, and nobody would defend them.
 * @throws EngineConfigError when they are of another place and not at their end there
 */
export function holdPlace(store: EngineStore, place: EnginePlace): void {
  store.transaction(() => {
    const { database } = store
    const row = database.prepare('SELECT * FROM engine_place').get()
    const held = { chainId: row?.chain_id, contract: row?.contract, address: row?.address }
    if (row !== undefined) {
      if (held.chainId !== place.chainId) throw other('chainId', `chain ${held.chainId}`)
      const isElsewhere = held.contract !== place.contract || held.address !== place.address
      if (isElsewhere && hasUnfinished(store)) {
        throw held.contract === place.contract
          ? other('keys.fundingKeyFile', `address ${held.address}`)
          : other('contract', `contract ${held.contract}`)
      }
    }
    database.exec('DELETE FROM engine_place')
    const { address, chainId, contract } = place
    database.prepare('INSERT INTO engine_place VALUES (?, ?, ?)').run(chainId, contract, address)
  })
}

function hasUnfinished({ database }: EngineStore): boolean {
  const row = database
    .prepare(
      `SELECT EXISTS (SELECT 1 FROM engine_channels WHERE state <> 'closed')
         OR EXISTS (SELECT 1 FROM engine_orders WHERE state NOT IN ('settled', 'refused') AND state <> 'queued')
         OR EXISTS (SELECT 1 FROM intents WHERE state <> 'done') AS found`,
    )
    .get() as { found: number }
  return row.found === 1
}

function other(path: string, held: string): EngineConfigError {
  return new EngineConfigError(
    path,
    `the engine's books are of ${held}, with money under way there: go back to it until all channels are closed, or give the engine another directory`,
  )
}
