import type { PeerConfig } from '../config/schema.ts'
import type { Account } from '../forwarding/account.ts'

/** What settlement is told of peers that come, change and go. */
export interface AccountSettlement {
  /**
   * The account settles like this from now on; undefined: no longer.
   * @throws Error with the reason when it cannot: nothing was changed
   */
  put(account: Account, settings: PeerConfig['settlement']): Promise<void>
  /** No new settlements; what is under way is carried to its end. */
  remove(accountId: string): Promise<void>
}
