import { type Hex, zeroAddress } from 'viem'
import { MessageRefusedError, PeerMessageError } from '../../../src/settlement/engine.ts'
import { isCanonical, readHeads } from '../finality.ts'
import { toAddress, toHash, toQuantity, toRecord } from '../rpc-values.ts'
import type { AccountRecord } from './account-book.ts'
import { BackOffs } from './back-offs.ts'
import { tooOften } from './channel-intake.ts'
import type { EngineCore } from './engine-core.ts'
import type { PeerIdentity } from './peer-identity.ts'

/** Tries in one round; the next round goes on. */
const BATCH_MAX = 16

/** Refusals that pass by themselves. */
const PASSING = new Set(['unknown-peer', 'payment-unknown', 'chain-unavailable', 'not-ready'])

interface NativePayment {
  readonly from: Hex
  /** Undefined: it makes a contract. */
  readonly to: Hex | undefined
  /** Wei. */
  readonly value: bigint
  /** Undefined while it waits. */
  readonly blockHash: Hex | undefined
}

/** Transfers of the native coin leave no log: the payer tells the payee which transaction it was. */
export class PaymentNotices {
  readonly #core: EngineCore
  readonly #identity: PeerIdentity
  readonly #backOffs = new BackOffs()
  /** Told to operators in this run; one per payment that is not acknowledged. */
  readonly #alarmed = new Set<Hex>()

  constructor(core: EngineCore, deps: { identity: PeerIdentity }) {
    this.#core = core
    this.#identity = deps.identity
  }

  /** As the payer: tells peers of final payments until each is acknowledged. */
  async tell(): Promise<void> {
    const { clock, transferBook } = this.#core
    const silent = new Set<string>()
    let tries = 0
    for (const { accountId, hash } of transferBook.unheard()) {
      if (tries >= BATCH_MAX) return
      if (silent.has(accountId) || !this.#backOffs.isDue(hash, clock.now())) continue
      tries++
      try {
        await this.#tellOne(accountId, hash)
        this.#backOffs.succeeded(hash)
        this.#alarmed.delete(hash)
      } catch (error) {
        if (!(error instanceof PeerMessageError)) throw error
        this.#backOffs.failed(hash, clock.now())
        // A peer that does not answer is not asked about the next one; one that refuses may take the next.
        if (error.refusal === undefined) silent.add(accountId)
        this.#report(accountId, hash, error)
      }
    }
  }

  /**
   * As the payee: credits a payment that the peer tells of, once it is final.
   * @returns what was paid, wei
   * @throws MessageRefusedError when it is not credited
   * @throws ChainError
   */
  async hear(account: AccountRecord, hash: Hex): Promise<bigint> {
    const { accounts, chain, credits, domain, funding, questions, settings, transfersFrom, wake } = this.#core
    if (transfersFrom === undefined) {
      throw new MessageRefusedError('transfers-not-accepted', 'this side takes no plain transfers')
    }
    if (account.token !== zeroAddress) {
      throw new MessageRefusedError('wrong-token', `this account settles in ${account.token}`)
    }
    const peer = accounts.peer(account.id)
    if (peer === undefined) throw new MessageRefusedError('unknown-peer', 'say hello first')
    if (!questions.take(account.id)) throw tooOften()
    const [receipt, payment] = [await chain.receipt(hash), await this.#read(hash)]
    const { final } = await readHeads(chain, settings.finality)
    if (
      receipt === undefined ||
      payment?.blockHash !== receipt.blockHash ||
      receipt.blockNumber > final.number ||
      !(await isCanonical(chain, { number: receipt.blockNumber, hash: receipt.blockHash }))
    ) {
      throw new MessageRefusedError('payment-unknown', 'there is no such transaction in a final block')
    }
    const { from, to, value } = payment
    if (!receipt.succeeded || from !== peer.address || to !== funding.address || value === 0n) {
      throw new MessageRefusedError('payment-foreign', 'the transaction pays nothing from this peer to us')
    }
    if (receipt.blockNumber < transfersFrom) {
      throw new MessageRefusedError('payment-too-old', `transfers before block ${transfersFrom} do not count`)
    }
    credits.add({
      id: `evm:${domain.chainId}:${hash}`,
      accountId: account.id,
      assetCode: account.assetCode,
      quantity: { amount: value, scale: account.scale },
      sender: from,
    })
    wake()
    return value
  }

  #report(accountId: string, hash: Hex, { message: reason, refusal }: PeerMessageError): void {
    const { alarm, logger } = this.#core
    logger.warn('the peer does not take note of a payment', { accountId, hash, reason })
    if (refusal === undefined || PASSING.has(refusal) || this.#alarmed.has(hash)) return
    this.#alarmed.add(hash)
    alarm('payment-refused', { accountId, hash, refusal })
  }

  async #tellOne(accountId: string, hash: Hex): Promise<void> {
    const { accounts, ask, transferBook } = this.#core
    try {
      const answer = await ask(accountId, 'payment', { hash })
      if (answer.hash !== hash) throw new PeerMessageError('the peer acknowledges another payment')
    } catch (error) {
      const account = accounts.find(accountId)
      if (!(error instanceof PeerMessageError) || error.refusal !== 'unknown-peer' || account === undefined) {
        throw error
      }
      await this.#identity.greet(account)
      throw error
    }
    transferBook.setHeard(hash)
  }

  async #read(hash: Hex): Promise<NativePayment | undefined> {
    return await this.#core.chain.request('eth_getTransactionByHash', [hash], (value) => {
      if (value === null) return undefined
      const transaction = toRecord(value, 'a transaction')
      const { blockHash, to } = transaction
      const isMined = blockHash !== null && blockHash !== undefined
      const hasReceiver = to !== null && to !== undefined
      return {
        from: toAddress(transaction.from, 'sender'),
        to: hasReceiver ? toAddress(to, 'receiver') : undefined,
        value: toQuantity(transaction.value, 'value of a transaction'),
        blockHash: isMined ? toHash(blockHash, 'block hash of a transaction') : undefined,
      }
    })
  }
}
