import { type Hex, keccak256, stringToHex, zeroAddress } from 'viem'
import { calmTerms, type TxOutcome } from '../tx-intent.ts'
import type { DepositRecord } from './channel-book.ts'
import type { Call, DepositSignature } from './channel-contract.ts'
import type { ChannelRecord } from './channel-record.ts'
import type { EngineCore } from './engine-core.ts'
import { sumOf } from './sum-of.ts'
import type { TokenProbe } from './token-abilities.ts'
import { signAuthorization, signPermit } from './token-signatures.ts'

/** How long a signed deposit can be carried out: one that could not be sent in that time is made anew. */
const SIGNED_S = 86_400
const MS_PER_S = 1000

/** Deposits of one token by authorization that are under way at a time: as many as the sender has open. */
const AUTHORIZED_MAX = 16

/**
 * Money on its way into channels: by signature in one transaction where the token takes that, else after an allowance of
 * exactly the amount, one at a time. No allowance stands when it is done.
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

  underWay(channelId: Hex): DepositRecord[] {
    const deposits = this.#core.channels.depositsOf(channelId)
    return deposits.filter(({ state }) => state !== 'done' && state !== 'failed')
  }

  isUnderWay(channelId: Hex): boolean {
    return this.underWay(channelId).length > 0
  }

  /** Carries deposits of tokens on. @throws ChainError */
  async advance(): Promise<void> {
    const unfinished = this.#core.channels
      .unfinishedDeposits()
      .filter((deposit) => !this.#letGo(deposit) && deposit.token !== zeroAddress)
    for (const [token, deposits] of Map.groupBy(unfinished, (deposit) => deposit.token)) {
      for (const deposit of deposits) if (deposit.state === 'sent') this.#giveUpLate(deposit)
      const isAlone = this.#core.abilities.get(token)?.kind !== 'authorization'
      const alone = isAlone ? deposits[0] : await this.#sendAuthorized(token, deposits)
      if (alone !== undefined) await this.#advanceAlone(alone)
    }
  }

  /**
   * Deposits by authorization need no allowance: many are under way at a time.
   * @returns the one that goes by allowance, if any does
   */
  async #sendAuthorized(token: Hex, deposits: readonly DepositRecord[]): Promise<DepositRecord | undefined> {
    const { contract, funding, sender } = this.#core
    const underWay = deposits.filter(({ state }) => state !== 'waiting')
    let refused: DepositRecord | undefined
    let balance: bigint | undefined
    for (const deposit of deposits.filter(({ state }) => state === 'waiting')) {
      if (underWay.length >= AUTHORIZED_MAX) break
      if (underWay.length > 0) {
        // What is in a block already is taken off twice: it waits for their end rather than fail.
        balance ??= await contract.tokenBalance(token, funding.address)
        if (sumOf([...underWay, deposit]) > balance) break
      }
      if (!(await this.#sendSigned(deposit))) {
        refused = deposit
        break
      }
      underWay.push(deposit)
    }
    return underWay.find(({ id }) => sender.purpose(`approve:${id}`) !== undefined) ?? refused
  }

  /** A channel that is closing takes nothing more: what waits for it would revert, and keep others waiting. */
  #letGo(deposit: DepositRecord): boolean {
    const { channels, clock, logger, sender } = this.#core
    const { channelId, id, state } = deposit
    if (!this.#isVain(deposit)) return false
    // What has a nonce ends by itself.
    if (state === 'sent' && sender.purpose(id)?.state !== 'queued') return false
    if (state === 'sent') sender.cancel(id)
    else channels.setDeposit(id, 'failed', clock.now())
    if (state === 'approving') sender.cancel(`approve:${id}`)
    logger.info('the channel is no longer open: nothing more is put into it', { channelId, id })
    return true
  }

  /** For a channel that was closed meanwhile. */
  #isVain({ channelId, kind }: DepositRecord): boolean {
    return kind === 'fund' && this.#core.channels.find(channelId)!.state !== 'open'
  }

  /** By permit or allowance: one at a time. */
  async #advanceAlone(deposit: DepositRecord): Promise<void> {
    const { abilities, contract, funding } = this.#core
    const { amount, state, token } = deposit
    // One that is found before it was asked for is that of the last deposit, told by a node that lags.
    if (state === 'approving' && (await contract.allowance(token, funding.address)) >= amount) {
      this.#send(deposit)
    } else if (state === 'waiting') {
      const isSent = abilities.get(token)?.kind === 'permit' && (await this.#sendSigned(deposit))
      if (!isSent) await this.#approve(deposit)
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
    if (!succeeded && !this.#isVain(deposit)) {
      alarm('deposit-failed', { channelId, kind, outcome: outcome.kind })
    }
    const channel = channels.find(channelId)!
    if (kind === 'open') {
      // A failure is not the end: books that are old may open what is open. The next look at the chain tells.
      if (succeeded) channels.update(channelId, { state: 'open', deposited: amount })
    } else if (succeeded && channel.state !== 'closed') {
      // Not added to what is known: a look at the chain may have seen it already.
      const sum = sumOf(channels.depositsOf(channelId).filter(({ state }) => state === 'done'))
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
    logger.info('a signed deposit would be refused: it goes by allowance', { id, erc20: token })
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
