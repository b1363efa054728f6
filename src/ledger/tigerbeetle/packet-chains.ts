import { packetLegs } from '../chart-of-accounts.ts'
import type { BookAccount } from './account-book.ts'

/** One transfer of a packet's chain. */
export interface ChainLeg {
  debit: bigint
  credit: bigint
  ledger: number
  /** What is booked when the packet is fulfilled. */
  amount: bigint
  /** What is set aside until then; more than `amount` only where a packet returns to its payer. */
  reserve: bigint
}

/**
 * The transfers of a packet between two open accounts. A packet that goes back where it came from costs its payer
 * the spread, and holds its whole amount until then. Empty when there is nothing to book.
 */
export function chainLegs(
  payer: BookAccount,
  payee: BookAccount,
  inAmount: bigint,
  outAmount: bigint,
): ChainLeg[] {
  const { asset } = payer
  if (payer === payee) {
    const amount = inAmount - outAmount
    return [{ debit: payer.clearing, credit: asset.revenue, ledger: asset.ledger, amount, reserve: inAmount }]
  }
  return packetLegs(asset === payee.asset, inAmount, outAmount).map(({ debit, credit, amount }) => {
    const book = debit === 'payer' ? payer.asset : payee.asset
    return {
      debit: debit === 'payer' ? payer.clearing : book.fx,
      credit: credit === 'payee' ? payee.clearing : credit === 'revenue' ? book.revenue : book.fx,
      ledger: book.ledger,
      amount,
      reserve: amount,
    }
  })
}
