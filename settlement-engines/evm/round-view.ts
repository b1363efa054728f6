import type { Heads } from './finality.ts'
import type { FeeMarket } from './rpc-answers.ts'

/** What one round of the transaction sender sees of the chain. */
export interface RoundView extends Heads {
  /** Transactions of the key that are in blocks: the nonce below which all are used. */
  readonly used: number
  /** Asked for when it is needed first. */
  market: FeeMarket | undefined
  /** Something is not understood: sign nothing new in this round. */
  isDoubtful: boolean
}
