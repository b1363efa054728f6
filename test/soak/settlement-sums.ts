import { MONEY_KINDS } from './money-kinds.ts'
import type { SettlementRow } from './soak-node.ts'
import type { SoakScene } from './soak-scene.ts'

/** States in which an outgoing settlement stays. */
export const ENDED = ['settled', 'refused']

/** Settlements that came to a good end. */
export interface SettlementSum {
  readonly count: number
  /** Units of the account. */
  readonly units: bigint
  /** Units of the token. */
  readonly token: bigint
}

/** Sum of what is settled (outgoing) or booked (incoming). */
export function sumOf(rows: readonly SettlementRow[]): SettlementSum {
  const good = rows.filter(({ state }) => state === 'settled' || state === 'booked')
  return {
    count: good.length,
    units: good.reduce((sum, { amount }) => sum + BigInt(amount!), 0n),
    token: good.reduce((sum, { quantity }) => sum + BigInt(quantity.amount), 0n),
  }
}

export interface Direction {
  readonly what: string
  /** By the books of the payer, units of the token. */
  readonly paid: bigint
  /** By the books of the payee. */
  readonly credited: bigint
}

/** What each node has paid to each of its peers, and what the peer has credited. */
export async function paidAndCredited(scene: SoakScene): Promise<Direction[]> {
  const books = new Map<string, { out: SettlementRow[]; in: SettlementRow[] }>()
  for (const node of scene.nodes) {
    books.set(node.name, { out: await node.settlements('out'), in: await node.settlements('in') })
  }
  const found: Direction[] = []
  for (const { name: payer } of scene.nodes) {
    for (const payee of scene.neighbours(payer)) {
      for (const { name: kind } of MONEY_KINDS) {
        const of = (account: string) => (row: SettlementRow) => row.accountId === account
        const paid = books.get(payer)!.out.filter(of(`${payee}-${kind}`))
        const credited = books.get(payee)!.in.filter(of(`${payer}-${kind}`))
        const what = `${kind} from ${payer} to ${payee}`
        found.push({ what, paid: sumOf(paid).token, credited: sumOf(credited).token })
      }
    }
  }
  return found
}
