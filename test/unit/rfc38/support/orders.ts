import { randomUUID } from 'node:crypto'
import type { EngineAccount, SettlementOrder } from '../../../../src/settlement/engine.ts'

export function account(id: string, options: Record<string, unknown> = {}): EngineAccount {
  return { id, assetCode: 'USD', assetScale: 9, ownAddress: undefined, peerAddress: undefined, options }
}

export function order(amount: bigint, accountId = 'alice', id: string = randomUUID()): SettlementOrder {
  return { id, accountId, quantity: { amount, scale: 9 } }
}
