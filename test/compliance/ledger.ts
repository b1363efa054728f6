import { describe } from 'vitest'
import { faultCases } from './ledger-fault-cases.ts'
import { type LedgerHarness, useLedger } from './ledger-harness.ts'
import { historyCases } from './ledger-history-cases.ts'
import { limitCases } from './ledger-limit-cases.ts'
import { packetCases } from './ledger-packet-cases.ts'
import { randomCases } from './ledger-random-cases.ts'
import { restartCases } from './ledger-restart-cases.ts'
import { settlementCases } from './ledger-settlement-cases.ts'

/** The suite that every way of keeping the books passes (`src/ledger/ledger.ts`). */
export function ledgerCompliance(name: string, makeHarness: () => Promise<LedgerHarness>): void {
  describe(`ledger compliance: ${name}`, () => {
    const test = useLedger(makeHarness)
    describe('packets', () => packetCases(test))
    describe('limits', () => limitCases(test))
    describe('settlements', () => settlementCases(test))
    describe('history', () => historyCases(test))
    describe('restart', () => restartCases(test))
    describe('backend in trouble', () => faultCases(test))
    describe('random operations', () => randomCases(test))
  })
}
