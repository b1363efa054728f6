import { type Hex, keccak256, stringToHex, zeroAddress } from 'viem'
import { calmTerms, type TxOutcome } from '../tx-intent.ts'
import type { DepositRecord } from './channel-book.ts'
import type { Call, DepositSignature } from './channel-contract.ts'
import type { ChannelRecord } from './channel-record.ts'
import type { EngineCore } from './engine-core.ts'
import type { TokenProbe } from './token-abilities.ts'
import { signAuthorization, signPermit } from './token-signatures.ts'

/** How long a signed deposit can be carried out: one that could not be sent in that time is made anew. */
const SIGNED_S = 86_400
const MS_PER_S = 1000

/**
 * Money on its way into channels. A token's deposits go one after the other: in one transaction where the token takes
 * signatures, else after an allowance of exactly the amount. No allowance stands when it is done.
 */
export class Deposits {
  readonly #core: EngineCore
  readonly #probe: TokenProbe

  constructor(core: EngineCore, deps: { probe: TokenProbe }) {
    this.#core = core
    this.#probe = deps.probe
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

  /** Carries deposits of tokens on: by signature, or allowance first. @throws ChainError */
  async advance(): Promise<void> {
    const { channels, contract, funding } = this.#core
    const seen = new Set<Hex>()
    for (const deposit of channels.unfinishedDeposits()) {
      const { amount, state, token } = deposit
      if (token === zeroAddress || seen.has(token)) continue
      seen.add(token)
      if (state === 'sent') {
        this.#giveUpLate(deposit)
        continue
      }
      // One that is found before it was asked for is that of the last deposit, told by a node that lags.
      if (state === 'approving' && (await contract.allowance(token, funding.address)) >= amount) {
        this.#send(deposit)
      } else if (state === 'waiting' && !(await this.#sendSigned(deposit))) {
        await this.#approve(deposit)
      }
    }
  }

  /** An allowance that a failed deposit left is taken back first: some tokens change none that is not nothing. */
  async #approve({ amount, id, token }: DepositRecord): Promise<void> {
    const { channels, clock, contract, funding, sender, settings, store } = this.#core
    const clearing = sender.purpose(`clear:${id}`)
    if (clearing === undefined && (await contract.allowance(token, funding.address)) > 0n) {
      const call = contract.approve(token, 0n)
      sender.submit({ purpose: `clear:${id}`, ...call, ...calmTerms(settings.feeBudget) })
      return
    }
    if (clearing !== undefined && clearing.state !== 'done') return
    store.transaction(() => {
      channels.setDeposit(id, 'approving', clock.now())
      const call = contract.approve(token, amount)
      sender.submit({ purpose: `approve:${id}`, ...call, ...calmTerms(settings.feeBudget) })
    })
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
      // A failure is not the end: books that are old may open what is open. The next look at the chain tells.
      if (succeeded) channels.update(channelId, { state: 'open', deposited: amount })
    } else if (succeeded && channel.state !== 'closed') {
      // Not added to what is known: a look at the chain may have seen it already.
      const done = channels.depositsOf(channelId).filter(({ state }) => state === 'done')
      const sum = done.reduce((total, one) => total + one.amount, 0n)
      if (sum > channel.deposited) channels.update(channelId, { deposited: sum })
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
    const { channels, contract } = this.#core
    const { amount, channelId, kind, token } = deposit
    const { terms } = channels.find(channelId)!
    const call = kind === 'open' ? contract.open(terms, amount) : contract.fund(channelId, token, amount)
    this.#submit(deposit, call)
  }

  #submit({ id }: DepositRecord, call: Call): void {
    const { channels, clock, sender, settings, store } = this.#core
    store.transaction(() => {
      channels.setDeposit(id, 'sent', clock.now())
      sender.submit({ purpose: id, ...call, ...calmTerms(settings.feeBudget) })
    })
  }

  /** @returns whether it is on its way; what the token would not take now goes by allowance */
  async #sendSigned(deposit: DepositRecord): Promise<boolean> {
    const { channels, contract, logger } = this.#core
    const { amount, channelId, id, kind, token } = deposit
    const by = await this.#sign(deposit)
    if (by === undefined) return false
    const { terms } = channels.find(channelId)!
    const call =
      kind === 'open' ? contract.openSigned(terms, amount, by) : contract.fundSigned(channelId, amount, by)
    if (await this.#probe.isTaken(call)) {
      this.#submit(deposit, call)
      return true
    }
    logger.info('a signed deposit would be refused: it goes by allowance', { id, token })
    return false
  }

  async #sign({ amount, channelId, id, kind, token }: DepositRecord): Promise<DepositSignature | undefined> {
    const { abilities, clock, contract, funding } = this.#core
    const ability = abilities.get(token)
    if (ability === undefined) return undefined
    const until = BigInt(Math.floor(clock.now() / MS_PER_S) + SIGNED_S)
    const { domain } = ability
    const from = funding.address
    if (ability.kind === 'permit') {
      const nonce = await this.#probe.permitNonce(token)
      const permit = { owner: from, spender: contract.address, value: amount, nonce, deadline: until }
      return { kind: 'permit', signed: await signPermit(funding, domain, permit) }
    }
    const salt = keccak256(stringToHex(id))
    const nonce = contract.authorizationNonce(kind, channelId, salt)
    const transfer = { from, to: contract.address, value: amount, validBefore: until, nonce }
    const signed = await signAuthorization(funding, domain, 'ReceiveWithAuthorization', transfer)
    return { kind: 'authorization', from, signed, salt }
  }

  /** Its signature may be over: nothing would ever come of it. What has a nonce already ends by itself. */
  #giveUpLate({ id, updatedMs }: DepositRecord): void {
    const { clock, sender } = this.#core
    if (clock.now() - updatedMs < SIGNED_S * MS_PER_S) return
    if (sender.purpose(id)?.state === 'queued') sender.cancel(id)
  }
}
