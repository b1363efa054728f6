/**
 * What an operator must see to. The parts go on as far as that is safe.
 * - `foreign-transaction`: something else signs with our key; nothing is signed here until an operator resumes
 * - `unexplained-nonce`: a nonce was used and no node tells by what; nothing is signed until it is known
 * - `nonce-gap`: the chain shows fewer transactions of the key than at its first use here; the node lags, or told
 *   rubbish then. Nothing is signed while it lasts
 * - `final-transaction-missing`: a transaction that counted as final is no longer mined; it is sent again
 * - `fee-limit`: the fees needed now are above a purpose's budget or the ceiling; it waits
 * - `low-funds`: the key's balance does not cover what is to be sent; it waits
 * - `would-revert`: a purpose would revert now; it waits, and can be cancelled
 * - `rejected`: every node refuses a signed transaction
 * - `stale-head`: no new block was seen for long; the nodes stand still, or the chain does
 * - `wrong-chain`: every node that answers serves another chain by now; nothing is read or sent
 * - `reorg`: a block that counted as final was replaced; the log poller does not go on
 */
export type ChainAlarmCode =
  | 'foreign-transaction'
  | 'unexplained-nonce'
  | 'nonce-gap'
  | 'final-transaction-missing'
  | 'fee-limit'
  | 'low-funds'
  | 'would-revert'
  | 'rejected'
  | 'stale-head'
  | 'wrong-chain'
  | 'reorg'

export type RaiseAlarm = (code: ChainAlarmCode, fields: Record<string, unknown>) => void
