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
import type { ChainLog } from '../rpc-answers.ts'
import type { TxOutcome } from '../tx-intent.ts'
import type { AccountRecord } from './account-book.ts'
import type { EngineCore } from './engine-core.ts'

/** First topic of ERC-20's `Transfer`. */
export const TRANSFER_EVENT = toEventSelector(getAbiItem({ abi: erc20Abi, name: 'Transfer' }))

/** Settlement by plain transactions: one per order, and tokens that arrive by themselves. */
export class Transfers {
  readonly #core: EngineCore

  constructor(core: EngineCore) {
    this.#core = core
  }

  /** Hands the account's orders to the transaction sender, each under a purpose of its own. */
  attend(account: AccountRecord): void {
    const { accounts, orders, sender, settings, store } = this.#core
    const peer = accounts.peer(account.id)
    if (peer === undefined) return
    for (const { amount, id, state } of orders.open(account.id)) {
      if (state !== 'queued') continue
      store.transaction(() => {
        // Orders' ids may be as long as purposes, and must not look like others.
        const purpose = `pay:${createHash('sha256').update(id).digest('hex')}`
        orders.setSent(id, purpose)
        const terms = {
          gasLimit: undefined,
          feeBudget: settings.feeBudget,
          urgency: 'calm',
          deadlineMs: undefined,
        } as const
        sender.submit({ purpose, ...callOf(account.token, peer.address, amount), ...terms })
      })
    }
  }

  /** Inside the transaction that records the outcome. */
  ended(purpose: string, outcome: TxOutcome): void {
    const { accounts, alarm, orders } = this.#core
    const order = orders.byPurpose(purpose)
    if (order === undefined) return
    const account = accounts.find(order.accountId)
    const isPaid =
      outcome.kind === 'succeeded' &&
      // Some tokens answer false instead of reverting: what counts is that they moved.
      (account?.token === zeroAddress || outcome.logs.some((log) => this.#isOwnPayment(log, order.amount)))
    if (isPaid) {
      orders.settle(order)
      return
    }
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
      logger.warn('a transfer of a token that is not configured', { token: log.address })
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

  #isOwnPayment(log: ChainLog, amount: bigint): boolean {
    const transfer = readTransfer(log)
    return transfer?.from === this.#core.funding.address && transfer.value === amount
  }

  #scaleOf(token: Hex): number {
    const scale = this.#core.scales.get(token)
    if (scale === undefined) throw new Error(`the scale of ${token} is not known`)
    return scale
  }
}

function callOf(token: Hex, to: Hex, amount: bigint) {
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
