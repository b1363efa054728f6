import { type Hex, zeroAddress } from 'viem'
import type { TxOutcome } from '../tx-intent.ts'
import type { DepositRecord } from './channel-book.ts'
import type { ChannelRecord } from './channel-record.ts'
import type { EngineCore } from './engine-core.ts'

/**
 * Money on its way into channels. A token's deposits go one after the other, each with an allowance of exactly its
 * amount: no allowance stands when it is done.
 */
export class Deposits {
  readonly #core: EngineCore

  constructor(core: EngineCore) {
    this.#core = core
  }

  open(channel: ChannelRecord, amount: bigint): void {
    this.#core.store.transaction(() => {
      this.#core.channels.save(channel)
      this.#add({ id: `open:${channel.id}`, kind: 'open', channel, amount })
    })
    this.#core.checkpoint('deposit-stored')
  }

  fund(channel: ChannelRecord, amount: bigint): void {
    const count = this.#core.channels.depositsOf(channel.id).length
    this.#core.store.transaction(() => {
      this.#add({ id: `fund:${channel.id}:${count}`, kind: 'fund', channel, amount })
    })
    this.#core.checkpoint('deposit-stored')
  }

  isUnderWay(channelId: Hex): boolean {
    return this.#core.channels
      .depositsOf(channelId)
      .some(({ state }) => state !== 'done' && state !== 'failed')
  }

  /** Carries deposits of tokens on: allowance first. @throws ChainError */
  async advance(): Promise<void> {
    const { channels, contract, funding, sender, settings } = this.#core
    const seen = new Set<Hex>()
    for (const deposit of channels.unfinishedDeposits()) {
      const { amount, id, state, token } = deposit
      if (token === zeroAddress || seen.has(token)) continue
      seen.add(token)
      if (state === 'sent') continue
      if ((await contract.allowance(token, funding.address)) >= amount) {
        this.#send(deposit)
      } else if (state === 'waiting') {
        this.#core.store.transaction(() => {
          channels.setDeposit(id, 'approving', this.#core.clock.now())
          const call = contract.approve(token, amount)
          sender.submit({ purpose: `approve:${id}`, ...call, ...calm(settings.feeBudget) })
        })
      }
    }
  }

  /** Inside the transaction that records the outcome. */
  ended(id: string, outcome: TxOutcome): void {
    const { alarm, channels, clock } = this.#core
    const deposit = channels.deposit(id)
    if (deposit === undefined) return
    const { amount, channelId, kind } = deposit
    const succeeded = outcome.kind === 'succeeded'
    channels.setDeposit(id, succeeded ? 'done' : 'failed', clock.now())
    if (!succeeded) alarm('deposit-failed', { channelId, kind, outcome: outcome.kind })
    const channel = channels.find(channelId)!
    if (kind === 'open') {
      channels.update(channelId, succeeded ? { state: 'open', deposited: amount } : { state: 'closed' })
    } else if (succeeded && channel.state !== 'closed') {
      // The next look at the chain says the same.
      channels.update(channelId, { deposited: channel.deposited + amount })
    }
  }

  /** The allowance was not given: nothing is deposited. Inside the transaction that records the outcome. */
  approvalEnded(id: string, outcome: TxOutcome): void {
    if (outcome.kind !== 'succeeded') this.ended(id, outcome)
  }

  #add(deposit: { id: string; kind: 'open' | 'fund'; channel: ChannelRecord; amount: bigint }): void {
    const { channels, clock } = this.#core
    const { amount, channel, id, kind } = deposit
    const record = {
      id,
      channelId: channel.id,
      kind,
      token: channel.token,
      amount,
      updatedMs: clock.now(),
    }
    channels.addDeposit(record, 'waiting')
    if (channel.token === zeroAddress) this.#send({ ...record, state: 'waiting' })
  }

  #send(deposit: DepositRecord): void {
    const { channels, clock, contract, sender, settings, store } = this.#core
    const { amount, channelId, id, kind, token } = deposit
    store.transaction(() => {
      const { terms } = channels.find(channelId)!
      const call = kind === 'open' ? contract.open(terms, amount) : contract.fund(channelId, token, amount)
      channels.setDeposit(id, 'sent', clock.now())
      sender.submit({ purpose: id, ...call, ...calm(settings.feeBudget) })
    })
  }
}

function calm(feeBudget: bigint) {
  return { gasLimit: undefined, feeBudget, urgency: 'calm', deadlineMs: undefined } as const
}
