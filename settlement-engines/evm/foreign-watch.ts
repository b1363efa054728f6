import type { Hex } from 'viem'
import type { AlarmOnce } from './alarm-once.ts'
import type { Chain } from './chain.ts'
import { ChainError } from './chain-error.ts'
import { type Heads, isCanonical } from './finality.ts'
import type { NonceAllocator } from './nonce-allocator.ts'
import { readUsed } from './read-used.ts'
import type { OpenTx } from './tx-intent.ts'
import { findUsedNonce } from './used-nonce.ts'

export interface ForeignWatchDeps {
  readonly chain: Chain
  readonly nonces: NonceAllocator
  readonly alarms: AlarmOnce
}

/**
 * Watches for transactions of our key that were not signed here, and halts the nonces when the chain shows one. Only a
 * transaction that is shown counts: a number, or an answer that lacks something, proves nothing.
 */
export class ForeignWatch {
  readonly #address: Hex
  readonly #deps: ForeignWatchDeps

  constructor(options: { address: Hex }, deps: ForeignWatchDeps) {
    this.#address = options.address
    this.#deps = deps
  }

  /** @returns whether what the chain tells of the key fits what was done here */
  async check(view: Heads & { used: number }): Promise<boolean> {
    const { alarms, nonces } = this.#deps
    const { first, next } = nonces
    if (view.used < first) {
      alarms.raise('nonce-gap', first, { address: this.#address, used: view.used, first })
      return false
    }
    if (view.used <= next) return true
    if (nonces.halted === undefined) await this.isLost(next, view, { from: 0, own: [] })
    return false
  }

  /**
   * A nonce is used, and not by anything of ours that a node knows. Halts when another transaction is shown.
   * @param known the block before which it cannot have been mined, and the hashes that were signed for it here
   * @returns whether another transaction is final there, so that ours can never land
   */
  async isLost(
    nonce: number,
    { latest, final }: Heads,
    known: { from: number; own: readonly Hex[] },
  ): Promise<boolean> {
    const { alarms, chain, nonces } = this.#deps
    const address = this.#address
    const found = await findUsedNonce(chain, address, nonce, { from: known.from, to: latest })
    if (found === undefined) {
      // The count was perhaps told by a node that is ahead of the others, or before a reorg.
      const { isMined, used } = await readUsed(chain, address, known.own)
      if (used > nonce && !isMined) alarms.raise('unexplained-nonce', nonce, { nonce, address })
      return false
    }
    // Ours after all: the node that was asked for the receipt lags.
    if (known.own.includes(found.hash)) return false
    const block = { number: found.blockNumber, hash: found.blockHash }
    if ((await isCanonical(chain, block)) !== true) return false
    nonces.halt(
      `nonce ${nonce} of ${address} was used by ${found.hash}, which was not sent from here: another process uses the key. Stop it, then resume`,
    )
    alarms.raise('foreign-transaction', nonce, { nonce, address, hash: found.hash })
    return block.number <= final.number
  }

  /**
   * An operator has made sure that nothing else uses the key any more: goes on behind what the chain shows.
   * @param used the key's transaction count in the newest block
   * @param open what was signed here and is not final
   * @returns whether there was anything to resume
   * @throws ChainError `bad-answer` when no node shows the last of them; `not-final` while one of ours may still land
   */
  async resume(used: number, latest: Heads['latest'], open: readonly OpenTx[]): Promise<boolean> {
    const { chain, nonces } = this.#deps
    if (used < nonces.first && nonces.next === nonces.first) {
      nonces.restart(used)
      return true
    }
    if (nonces.halted === undefined && used <= nonces.next) return false
    for (const tx of open) {
      // Until it is final, every look at it finds the foreign transaction anew, and halts.
      if (tx.nonce < used && !(await this.#isMined(tx))) {
        throw new ChainError('not-final', `what used nonce ${tx.nonce} is not final yet`)
      }
    }
    // Beginning above the chain's true count would leave a gap that nothing passes.
    const isShown =
      used <= nonces.next ||
      (await findUsedNonce(chain, this.#address, used - 1, { from: 0, to: latest })) !== undefined
    if (!isShown) throw new ChainError('bad-answer', `no node shows nonce ${used - 1} of ${this.#address}`)
    nonces.resume(used)
    return true
  }

  /** By one of the attempts that were signed here. */
  async #isMined({ attempts }: OpenTx): Promise<boolean> {
    for (const { hash } of attempts) {
      if ((await this.#deps.chain.receipt(hash)) !== undefined) return true
    }
    return false
  }
}
