import { createHash } from 'node:crypto'
import {
  decodeEventLog,
  encodeFunctionData,
  erc20Abi,
  getAbiItem,
  type Hex,
  toEventSelector,
  zeroAddress,
} from 'viem'
import { ChainError } from '../chain-error.ts'
import { readHeads } from '../finality.ts'
import type { ChainLog } from '../rpc-answers.ts'
import { calmTerms, type TxOutcome } from '../tx-intent.ts'
import type { PurposeView } from '../tx-journal.ts'
import type { AccountRecord, PeerRecord } from './account-book.ts'
import type { Call } from './channel-contract.ts'
import type { EngineCore } from './engine-core.ts'
import type { OrderRecord } from './order-book.ts'
import type { TokenProbe } from './token-abilities.ts'
import {
  authorizedTransferData,
  orderNonce,
  signAuthorization,
  type TokenDomain,
} from './token-signatures.ts'
import type { AuthorizationRecord } from './transfer-book.ts'

/** First topic of ERC-20's `Transfer`. */
export const TRANSFER_EVENT = toEventSelector(getAbiItem({ abi: erc20Abi, name: 'Transfer' }))

/** How long a transfer that was signed for once can be carried out. One that was not is refused, for certain, then. */
const AUTHORIZED_S = 86_400
const MS_PER_S = 1000

/**
 * Settlement by plain transactions: one per order, and tokens that arrive by themselves. Where the token has
 * EIP-3009, the chain itself holds that an order is paid once, even by an engine that has lost its books.
 */
export class Transfers {
  readonly #core: EngineCore
  readonly #probe: TokenProbe

  constructor(core: EngineCore, deps: { probe: TokenProbe }) {
    this.#core = core
    this.#probe = deps.probe
  }

  /** Hands the account's orders to the transaction sender, each under a purpose of its own. @throws ChainError */
  async attend(account: AccountRecord): Promise<void> {
    const { abilities, accounts, orders, transferBook } = this.#core
    const peer = accounts.peer(account.id)
    if (peer === undefined) return
    const ability = abilities.get(account.token)
    for (const { id } of orders.open(account.id)) {
      // While the chain was asked about others, it may have ended.
      const order = orders.get(id)!
      if (order.state === 'settled' || order.state === 'refused') continue
      const authorization = transferBook.authorization(purposeOf('once', order))
      if (authorization !== undefined) await this.#resolve(account, order, authorization)
      else if (order.state !== 'queued') continue
      else if (ability?.kind === 'authorization') await this.#payOnce(account, peer, order, ability.domain)
      else await this.#pay(account, peer, order)
    }
  }

  /** Inside the transaction that records the outcome. */
  ended(purpose: string, outcome: TxOutcome): void {
    const { accounts, alarm, orders, transferBook } = this.#core
    const order = orders.byPurpose(purpose)
    // One that ended in another way is not to be ended again.
    if (order?.state !== 'sent') return
    const account = accounts.find(order.accountId)!
    const isNative = account.token === zeroAddress
    const isPaid =
      outcome.kind === 'succeeded' &&
      // Some tokens answer false instead of reverting: what counts is that they moved.
      (isNative || outcome.logs.some((log) => this.#isOwnPayment(log, account, order)))
    if (isPaid) {
      orders.settle(order)
      if (isNative) transferBook.addNotice({ accountId: account.id, hash: outcome.hash })
      return
    }
    // Somebody else may have carried out what we signed: the next look at the nonce tells.
    if (transferBook.authorization(purpose) !== undefined) return
    alarm('transfer-failed', { orderId: order.id, outcome: outcome.kind, hash: outcome.hash })
    orders.refuse(order, `the transaction ${outcome.hash ?? ''} moved nothing: ${outcome.kind}`)
  }

  /** A transfer of a token in a final block; inside the transaction that moves the cursor. */
  received(log: ChainLog): void {
    const { accounts, contract, credits, domain, funding, logger, settings } = this.#core
    const transfer = readTransfer(log)
    // What the contract pays out was credited when its voucher came.
    if (transfer?.to !== funding.address || transfer.from === contract.address) return
    if (transfer.value === 0n || transfer.from === funding.address) return
    const peer = accounts.peerAt(transfer.from)
    const account = peer === undefined ? undefined : accounts.find(peer.accountId)
    const owner = account?.token === log.address ? account : undefined
    const asset = Object.entries(settings.assets).find(([, { token }]) => token === log.address)
    const assetCode = owner?.assetCode ?? asset?.[0]
    if (assetCode === undefined) {
      logger.warn('a transfer of a token that is not configured', { erc20: log.address })
      return
    }
    credits.add({
      id: `evm:${domain.chainId}:${log.transactionHash}:${log.logIndex}`,
      accountId: owner?.id,
      assetCode,
      quantity: { amount: transfer.value, scale: this.#scaleOf(log.address) },
      sender: transfer.from,
    })
  }

  async #pay(account: AccountRecord, peer: PeerRecord, order: OrderRecord): Promise<void> {
    const { orders, sender, store } = this.#core
    const purpose = purposeOf('pay', order)
    const before = sender.purpose(purpose)
    // The node had forgotten the order for a time, in which its transaction ended.
    const outcome = before?.state === 'done' ? await this.#outcomeOf(before) : undefined
    store.transaction(() => {
      if (orders.get(order.id)?.state !== 'queued') return
      orders.setSent(order.id, purpose)
      if (outcome === undefined) this.#submit(purpose, callOf(account.token, peer.address, order.amount))
      else this.ended(purpose, outcome)
    })
  }

  /** @throws ChainError when no node shows the transaction */
  async #outcomeOf({ outcome: kind, outcomeHash: hash }: PurposeView): Promise<TxOutcome> {
    if (hash === undefined || kind === undefined || kind === 'cancelled') {
      return { kind: 'cancelled', hash, feePaid: 0n }
    }
    const receipt = await this.#core.chain.receipt(hash)
    if (receipt === undefined) throw new ChainError('lagging', `a node does not know transaction ${hash}`)
    const { blockHash, blockNumber, feePaid, logs } = receipt
    return { kind, hash, blockNumber, blockHash, feePaid, logs }
  }

  async #payOnce(
    account: AccountRecord,
    peer: PeerRecord,
    order: OrderRecord,
    domain: TokenDomain,
  ): Promise<void> {
    const { chain, funding, logger, orders, settings, store, transferBook } = this.#core
    const purpose = purposeOf('once', order)
    const nonce = orderNonce({ id: order.id, to: peer.address, amount: order.amount })
    // By the chain's time, which decides: a clock that is ahead would leave the order open for as long.
    const { latest } = await readHeads(chain, settings.finality)
    const validBefore = Math.floor(latest.timestampMs / MS_PER_S) + AUTHORIZED_S
    const isPaidBefore = await this.#probe.isUsed(account.token, nonce, 'latest')
    if (isPaidBefore) logger.warn('an order was paid before these books began', { orderId: order.id })
    const transfer = {
      from: funding.address,
      to: peer.address,
      value: order.amount,
      validBefore: BigInt(validBefore),
      nonce,
    }
    const signed = await signAuthorization(funding, domain, 'TransferWithAuthorization', transfer)
    const data = authorizedTransferData('transferWithAuthorization', transfer, signed)
    store.transaction(() => {
      // An operator may have ended it meanwhile: then the signature is forgotten, and was never anywhere else.
      if (orders.get(order.id)?.state !== 'queued') return
      orders.setSent(order.id, purpose)
      transferBook.addAuthorization({ purpose, nonce, validBefore })
      if (!isPaidBefore) this.#submit(purpose, { to: account.token, value: 0n, data })
    })
  }

  /** What no transaction of ours shows: the nonce was used, or it is too late for it to be used any more. */
  async #resolve(
    account: AccountRecord,
    order: OrderRecord,
    { nonce, purpose, validBefore }: AuthorizationRecord,
  ): Promise<void> {
    const { alarm, chain, clock, orders, sender, settings, store } = this.#core
    const state = sender.purpose(purpose)?.state ?? 'done'
    if (state !== 'done') {
      if (clock.now() >= validBefore * MS_PER_S) sender.cancel(purpose)
      return
    }
    const { final } = await readHeads(chain, settings.finality)
    if (await this.#probe.isUsed(account.token, nonce, final.number)) {
      store.transaction(() => orders.settle(order))
    } else if (final.timestampMs >= validBefore * MS_PER_S) {
      alarm('transfer-failed', { orderId: order.id, outcome: 'expired', hash: undefined })
      orders.refuse(order, 'its signed transfer was not carried out in time and cannot be any more')
    }
  }

  #submit(purpose: string, call: Call): void {
    const { sender, settings } = this.#core
    sender.submit({ purpose, ...call, ...calmTerms(settings.feeBudget) })
  }

  #isOwnPayment(log: ChainLog, account: AccountRecord, order: OrderRecord): boolean {
    const transfer = log.address === account.token ? readTransfer(log) : undefined
    return transfer?.from === this.#core.funding.address && transfer.value === order.amount
  }

  #scaleOf(token: Hex): number {
    const scale = this.#core.scales.get(token)
    if (scale === undefined) throw new Error(`the scale of ${token} is not known`)
    return scale
  }
}

/** Orders' ids may be as long as purposes, and must not look like others. */
function purposeOf(kind: 'pay' | 'once', { id }: OrderRecord): string {
  return `${kind}:${createHash('sha256').update(id).digest('hex')}`
}

function callOf(token: Hex, to: Hex, amount: bigint): Call {
  if (token === zeroAddress) return { to, value: amount, data: '0x' } as const
  const data = encodeFunctionData({ abi: erc20Abi, functionName: 'transfer', args: [to, amount] })
  return { to: token, value: 0n, data }
}

/** Undefined for logs of other events, and for those of ERC-721, which look alike. */
function readTransfer({ data, topics }: ChainLog): { from: Hex; to: Hex; value: bigint } | undefined {
  const [event, ...rest] = topics
  if (event !== TRANSFER_EVENT || rest.length !== 2) return undefined
  try {
    const { args } = decodeEventLog({
      abi: erc20Abi,
      eventName: 'Transfer',
      data,
      topics: [event, ...rest],
    })
    return { from: lower(args.from), to: lower(args.to), value: args.value }
  } catch {
    return undefined
  }
}

function lower(address: string): Hex {
  return address.toLowerCase() as Hex
}
